import { beforeEach, describe, expect, test } from 'vitest'
import { AheadTrial } from './ahead-trial.ts'

let trial: AheadTrial

beforeEach(() => {
  trial = new AheadTrial()
})

describe('AheadTrial', () => {
  test('sends nothing ahead before it knows what commands usually take, then one at a time', () => {
    expect(trial.aheadMax).toBe(0)
    trial.ended({ isAhead: false, durationMs: 100 })
    expect(trial.aheadMax).toBe(1)
  })

  test('sends ahead as it likes once one has shown that it waited for its turn', () => {
    trial.ended({ isAhead: false, durationMs: 100 })
    trial.ended({ isAhead: true, durationMs: 98 })
    expect(trial.aheadMax).toBe(Number.POSITIVE_INFINITY)
  })

  test('gives up on a server that runs side by side what it should run in turn', () => {
    trial.ended({ isAhead: false, durationMs: 100 })
    for (let i = 0; i < 8; i++) {
      expect(trial.aheadMax).toBe(1)
      trial.ended({ isAhead: true, durationMs: 2 })
    }
    expect(trial.aheadMax).toBe(0)
  })

  test('gives up on a server where two tries fail, but not for failures later on', () => {
    trial.ended({ isAhead: false, durationMs: 100 })
    trial.failed(false)
    expect(trial.aheadMax).toBe(1)
    trial.failed(false)
    expect(trial.aheadMax).toBe(0)

    const other = new AheadTrial()
    other.ended({ isAhead: false, durationMs: 100 })
    other.ended({ isAhead: true, durationMs: 100 })
    for (let i = 0; i < 9; i++) other.failed(false)
    expect(other.aheadMax).toBe(Number.POSITIVE_INFINITY)
  })

  test('gives up at once when the server says that there are too many', () => {
    trial.ended({ isAhead: false, durationMs: 100 })
    trial.ended({ isAhead: true, durationMs: 100 })
    trial.failed(true)
    expect(trial.aheadMax).toBe(0)
  })

  test('sends nothing ahead while commands take long', () => {
    trial.ended({ isAhead: false, durationMs: 5_000 })
    expect(trial.aheadMax).toBe(0)
    for (let i = 0; i < 60; i++) trial.ended({ isAhead: false, durationMs: 100 })
    expect(trial.aheadMax).toBe(1)
  })
})
