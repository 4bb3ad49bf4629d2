import { describe, expect, it } from 'vitest'
import { planReplayStep, type ReplayFacts } from './plan-replay-step.ts'

const CANARY = { canary: { count: 5, seconds: 30 }, returnedPercentMax: 10 }

const factsOf = (facts: Partial<ReplayFacts>): ReplayFacts => ({
  options: { returnedPercentMax: 10 },
  counts: { selected: 100, sent: 0, returned: 0, unaccounted: 0 },
  remaining: 100,
  isCanaryPassed: false,
  quietMs: undefined,
  missingMs: 0,
  holders: 0,
  idleRounds: 0,
  ...facts,
})

describe('a replay without a canary', () => {
  it('sends everything that remains', () => {
    expect(planReplayStep(factsOf({ remaining: 40 }))).toEqual({ kind: 'send', most: 40 })
  })

  it('ends a moment after its last letter, when those that fail at once are dead again', () => {
    expect(planReplayStep(factsOf({ remaining: 0, quietMs: 500 }))).toEqual({ kind: 'watch', ms: 1_500 })
    expect(planReplayStep(factsOf({ remaining: 0, quietMs: 2_000 }))).toEqual({ kind: 'finish' })
    expect(planReplayStep(factsOf({ remaining: 0 }))).toEqual({ kind: 'finish' })
  })

  it('waits for letters that a dead copy may hold before it says that it is finished', () => {
    const facts = factsOf({ remaining: 0, counts: { selected: 100, sent: 97, returned: 0, unaccounted: 3 } })

    expect(planReplayStep({ ...facts, holders: 1, missingMs: 59_000 })).toEqual({ kind: 'watch', ms: 1_000 })
    expect(planReplayStep({ ...facts, holders: 1, missingMs: 60_000 })).toEqual({ kind: 'finish' })
    expect(planReplayStep({ ...facts, holders: 0, missingMs: 500 })).toEqual({ kind: 'watch', ms: 1_000 })
    expect(planReplayStep({ ...facts, holders: 0, missingMs: 1_000 })).toEqual({ kind: 'finish' })
  })

  it.each([
    { sent: 100, returned: 10, isStopped: false },
    { sent: 100, returned: 11, isStopped: true },
    // Nine letters say nothing of a rate.
    { sent: 20, returned: 9, isStopped: false },
    { sent: 20, returned: 10, isStopped: true },
  ])('stops above the part that may be dead again: $returned of $sent', ({ sent, returned, isStopped }) => {
    const { kind } = planReplayStep(factsOf({ counts: { selected: 200, sent, returned, unaccounted: 0 } }))

    expect(kind).toBe(isStopped ? 'stop' : 'send')
  })

  it('stops at the first that is dead again where none may be', () => {
    const facts = factsOf({
      options: { returnedPercentMax: 0 },
      counts: { selected: 200, sent: 100, returned: 1, unaccounted: 0 },
    })

    expect(planReplayStep(facts)).toMatchObject({ kind: 'stop', problem: { code: 'too-many-returned' } })
  })

  it('gives up on letters that it sees and cannot have', () => {
    expect(planReplayStep(factsOf({ idleRounds: 10 })).kind).toBe('send')
    expect(planReplayStep(factsOf({ idleRounds: 11 }))).toMatchObject({
      kind: 'stop',
      problem: { code: 'letters-unreachable' },
    })
  })
})

describe('a canary', () => {
  const sent = (count: number, more: Partial<ReplayFacts> = {}): ReplayFacts =>
    factsOf({
      options: CANARY,
      counts: { selected: 100, sent: count, returned: 0, unaccounted: 0 },
      remaining: 100 - count,
      ...more,
    })

  it('is sent first, in as many turns as it takes, then watched, then passed', () => {
    expect(planReplayStep(sent(0))).toEqual({ kind: 'send', most: 5 })
    expect(planReplayStep(sent(3))).toEqual({ kind: 'send', most: 2 })
    expect(planReplayStep(sent(5, { quietMs: 10_000 }))).toEqual({ kind: 'watch', ms: 1_000 })
    expect(planReplayStep(sent(5, { quietMs: 29_700 }))).toEqual({ kind: 'watch', ms: 300 })
    expect(planReplayStep(sent(5, { quietMs: 30_000 }))).toEqual({ kind: 'pass-canary' })
    expect(planReplayStep(sent(5, { isCanaryPassed: true }))).toEqual({ kind: 'send', most: 95 })
  })

  it('is watched anew by whoever goes on with it', () => {
    expect(planReplayStep(sent(5))).toEqual({ kind: 'watch', ms: 1_000 })
  })

  it('stops the replay when one of it is dead again, a moment after it was sent: then the count tells of all that fail at once', () => {
    const returned = (count: number, more: Partial<ReplayFacts> = {}) =>
      sent(5, { counts: { selected: 100, sent: 5, returned: count, unaccounted: 0 }, ...more })
    const stop = { kind: 'stop', problem: { code: 'canary-returned' } }

    expect(planReplayStep(returned(1, { quietMs: 100 }))).toEqual({ kind: 'watch', ms: 1_000 })
    expect(planReplayStep(returned(1, { quietMs: 1_400 }))).toEqual({ kind: 'watch', ms: 600 })
    expect(planReplayStep(returned(1, { quietMs: 2_000 }))).toMatchObject(stop)
    expect(planReplayStep(returned(5, { quietMs: 100 }))).toMatchObject(stop)
    expect(planReplayStep(returned(1))).toMatchObject(stop)
    expect(planReplayStep(returned(1, { isCanaryPassed: true })).kind).toBe('send')
  })

  it('of which one is dead again before all of it went is not sent any further', () => {
    const facts = sent(3, { counts: { selected: 100, sent: 3, returned: 1, unaccounted: 0 }, quietMs: 100 })

    expect(planReplayStep(facts)).toEqual({ kind: 'watch', ms: 1_000 })
  })
})
