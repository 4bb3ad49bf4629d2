import { describe, expect, it } from 'vitest'
import { createRefreshGate } from './refresh-gate.ts'

const signal = new AbortController().signal

describe('the refresh gate', () => {
  it('lets a run through whose refresh is done, and does not ask again', async () => {
    let asked = 0
    const gate = createRefreshGate({
      read: () => {
        asked++
        return Promise.resolve({ is_over: false, is_ready: true })
      },
      waitMs: 0,
      pollMs: 1,
    })

    expect(await gate('run', signal)).toBe('ready')
    expect(await gate('run', signal)).toBe('ready')
    expect(asked).toBe(1)
  })

  it('asks once for all messages of a run', async () => {
    let asked = 0
    const answer = Promise.withResolvers<{ is_over: boolean; is_ready: boolean }>()
    const gate = createRefreshGate({
      read: () => {
        asked++
        return answer.promise
      },
      waitMs: 0,
      pollMs: 1,
    })

    const all = [gate('run', signal), gate('run', signal), gate('run', signal)]
    answer.resolve({ is_over: false, is_ready: true })

    expect(await Promise.all(all)).toEqual(['ready', 'ready', 'ready'])
    expect(asked).toBe(1)
  })

  it('gives up waiting after its time', async () => {
    const gate = createRefreshGate({ read: () => Promise.resolve({ is_over: false, is_ready: false }), waitMs: 0, pollMs: 1 })

    expect(await gate('run', signal)).toBe('not-yet')
  })

  it('tells of a run that has failed or is not known', async () => {
    const failed = createRefreshGate({ read: () => Promise.resolve({ is_over: true, is_ready: false }), waitMs: 0, pollMs: 1 })
    const unknown = createRefreshGate({ read: () => Promise.resolve(undefined), waitMs: 0, pollMs: 1 })

    expect(await failed('run', signal)).toBe('over')
    expect(await unknown('run', signal)).toBe('over')
  })
})
