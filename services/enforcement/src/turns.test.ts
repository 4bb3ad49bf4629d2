import { describe, expect, it } from 'vitest'
import { Turns } from './turns.ts'

describe('the turns of messages that have no slot', () => {
  it('come at twice the pace at which the organisation gets through its messages', () => {
    const turns = new Turns()
    for (let now = 0; now <= 20_000; now += 40) turns.finished(now)

    const waits = Array.from({ length: 1_001 }, () => turns.nextMs(20_000))

    expect(waits[0]).toBeGreaterThanOrEqual(2_000)
    expect((waits[1_000] ?? 0) - (waits[0] ?? 0)).toBeGreaterThan(19_000)
    expect((waits[1_000] ?? 0) - (waits[0] ?? 0)).toBeLessThan(21_000)
  })

  it('make few of the messages of a large organisation come back in vain', () => {
    const { handled, turnedAway } = simulate({ messages: 20_000, handledPerSecond: 30 })

    expect(handled).toBe(20_000)
    expect(turnedAway / handled).toBeLessThan(12)
  })

  it('follow the pace of all copies together, of which this one may have got few shells', () => {
    const turns = new Turns()
    for (let now = 0; now <= 60_000; now += 400) turns.finished(now)

    const waits = Array.from({ length: 101 }, () => turns.nextMs(60_000, 1 / 12))

    expect((waits[100] ?? 0) - (waits[0] ?? 0)).toBeLessThan((100 * 400) / 12)
  })

  it('are never far away, however long the line is', () => {
    const turns = new Turns()
    for (let now = 0; now <= 20_000; now += 1_000) turns.finished(now)

    const waits = Array.from({ length: 10_000 }, () => turns.nextMs(20_000))

    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000)
  })

  it('do not take a time without work for a slow pace', () => {
    const turns = new Turns()
    for (let now = 0; now <= 1_000; now += 40) turns.finished(now)
    turns.finished(3_600_000)

    expect(turns.nextMs(3_600_000)).toBeLessThan(2_100)
  })
})

/** All messages come at once; so many are handled each second, and whoever finds no slot comes back at its turn. */
function simulate(o: { messages: number; handledPerSecond: number }): { handled: number; turnedAway: number } {
  const turns = new Turns()
  const stepMs = 1_000 / o.handledPerSecond
  const dueBySecond = new Map<number, number>([[0, o.messages]])
  let [handled, turnedAway, freeAt] = [0, 0, 0]
  for (let second = 0; second < 24 * 3_600 && dueBySecond.size > 0; second++) {
    const due = dueBySecond.get(second) ?? 0
    dueBySecond.delete(second)
    for (let index = 0; index < due; index++) {
      const now = second * 1_000 + (index * 1_000) / due
      if (freeAt <= now + 2_400) {
        freeAt = Math.max(freeAt, now) + stepMs
        turns.finished(freeAt)
        handled++
        continue
      }
      turnedAway++
      const at = Math.ceil((now + turns.nextMs(now)) / 1_000)
      dueBySecond.set(at, (dueBySecond.get(at) ?? 0) + 1)
    }
  }
  return { handled, turnedAway }
}
