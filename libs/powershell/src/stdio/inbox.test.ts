import { describe, expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { Inbox, weightOf } from './inbox.ts'

const [one, two] = [new Uint8Array([1]), new Uint8Array([2, 3])]

/** A clock with at most one timer, run by `ring`. */
function createClock(): Clock & { ring(): void; readonly isSet: boolean } {
  let timer: (() => void) | undefined
  return {
    now: () => 0,
    setTimeout: (run) => {
      timer = run
      return () => {
        timer = undefined
      }
    },
    ring: () => timer?.(),
    get isSet() {
      return timer !== undefined
    },
  }
}

describe('Inbox', () => {
  test('gives everything that has come, and waits when nothing has', async () => {
    const [inbox, clock] = [new Inbox(), createClock()]
    inbox.push(one)
    inbox.push(two)
    expect(await inbox.take(clock, 100)).toEqual([one, two])

    const next = inbox.take(clock, 100)
    expect(clock.isSet).toBe(true)
    inbox.push(two)

    expect(await next).toEqual([two])
    expect(clock.isSet).toBe(false)
  })

  test('gives nothing when nothing came in time', async () => {
    const [inbox, clock] = [new Inbox(), createClock()]

    const taken = inbox.take(clock, 100)
    clock.ring()

    expect(await taken).toEqual([])
  })

  test('gives what came before the end, and then the end', async () => {
    const [inbox, clock] = [new Inbox(), createClock()]
    inbox.push(one)
    inbox.fail(new Error('gone'))

    expect(await inbox.take(clock, 100)).toEqual([one])
    await expect(inbox.take(clock, 100)).rejects.toThrow('gone')
  })

  test('says what it threw away weighed, and wakes who waits', async () => {
    const [inbox, other, clock] = [new Inbox(), new Inbox(), createClock()]
    inbox.push(one)
    inbox.push(two)
    const waiting = other.take(clock, 100)

    expect([inbox.drop(() => new Error('dropped')), other.drop(() => new Error('dropped'))]).toEqual([
      weightOf(one) + weightOf(two),
      0,
    ])

    await expect(inbox.take(clock, 100)).rejects.toThrow('dropped')
    await expect(waiting).rejects.toThrow('dropped')
    expect(clock.isSet).toBe(false)
  })
})
