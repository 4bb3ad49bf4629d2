import { done, later } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { Breaker } from './breaker.ts'
import { createDependency, createJointDependency, readHold } from './dependency.ts'

const breakerAt = (clock: { ms: number }) => new Breaker({ now: () => clock.ms, random: () => 0 })

describe('a dependency', () => {
  it('is paused by its own failures only, and says how long their messages wait', () => {
    const clock = { ms: 0 }
    const dependency = createDependency({
      name: 'Graph',
      breaker: breakerAt(clock),
      judge: (error) => (error === 'down' ? { reason: 'It is down', retryAfterMs: 20_000 } : undefined),
    })

    expect(dependency.failed?.('a bad mailbox')).toBeUndefined()
    expect(dependency.pause()).toBeUndefined()
    expect(dependency.failed?.('down')).toBe(20_000)
    expect(dependency.pause()).toEqual({ sinceMs: 0, untilMs: 20_000, reason: 'It is down' })

    dependency.probed?.(done)
    expect(dependency.pause()).toBeUndefined()
  })

  it('may ask for more than an answer as the proof that it works again', () => {
    const clock = { ms: 0 }
    const dependency = createDependency({
      name: 'Graph',
      breaker: breakerAt(clock),
      judge: () => ({ reason: 'It is down' }),
      isProof: (outcome) => outcome.kind === 'done',
    })
    dependency.failed?.('down')

    dependency.probed?.(later(2_000, 'graph-refresh-pending'))
    expect(dependency.pause()).toBeDefined()
    dependency.probed?.(done)
    expect(dependency.pause()).toBeUndefined()
  })

  it('of several parts is paused when all of them are, until the first may be tried', () => {
    const clock = { ms: 0 }
    const [one, other] = [breakerAt(clock), breakerAt(clock)]
    const joint = createJointDependency('Exchange', [() => one.pause, () => other.pause])

    one.failed(40_000)
    expect(joint.pause()).toBeUndefined()
    other.failed(10_000)
    expect(joint.pause()?.untilMs).toBe(10_000)
    one.succeeded()
    expect(joint.pause()).toBeUndefined()
  })

  it('without parts is never paused', () => {
    expect(createJointDependency('Exchange', []).pause()).toBeUndefined()
  })
})

describe('the hold of a consumer', () => {
  it('lasts until the last pause is over, then lets one go first', () => {
    const clock = { ms: 0 }
    const [graph, database] = [breakerAt(clock), breakerAt(clock)]
    const dependencies = [
      createJointDependency('Graph', [() => graph.pause]),
      createJointDependency('PostgreSQL', [() => database.pause]),
    ]
    expect(readHold(dependencies, () => 0)).toEqual({ kind: 'none' })

    graph.failed(30_000)
    database.failed(5_000)
    expect(readHold(dependencies, () => 5_000)).toMatchObject({ kind: 'held', name: 'Graph', pause: { untilMs: 30_000 } })
    expect(readHold(dependencies, () => 30_000)).toMatchObject({ kind: 'halfOpen', name: 'Graph' })
    graph.succeeded()
    database.succeeded()
    expect(readHold(dependencies, () => 30_000)).toEqual({ kind: 'none' })
  })
})
