import { describe, expect, it } from 'vitest'
import { describeFailedStart, PORT_TAKEN } from './describe-failed-start.ts'

describe('what is told of a node that did not start', () => {
  it('is the end of what it said', () => {
    expect(describeFailedStart(`${'x'.repeat(5_000)}no disk space`)).toBe(`${'x'.repeat(2_987)}no disk space`)
  })

  it('has the port that was taken, though the report of the listener that failed is longer than what is told', () => {
    const said = `Failed to start Ranch listener: {listen_error, eaddrinuse}\n${'[{dispatch,rabbit_mgmt}]'.repeat(500)}`

    expect(describeFailedStart(said)).toMatch(PORT_TAKEN)
  })
})
