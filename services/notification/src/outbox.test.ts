import { describe, expect, it } from 'vitest'
import { createOutbox, type Outbox } from './outbox.ts'

const sender = { send: () => Promise.resolve(), wasSent: () => Promise.resolve(false) }
const { signal } = new AbortController()

function outboxOf(sendsMax: number, messagesPerMinute = 60): Outbox {
  return createOutbox({ sender, settings: { messagesPerMinute, enrolUrl: 'https://portal.example' }, sendsMax })
}

/** Asks for a slot, and notes in `got` when it is there. */
function ask(outbox: Outbox, got: string[], name: string, until = signal): Promise<Disposable> {
  const slot = outbox.takeSlot(until)
  slot.then(
    () => got.push(name),
    () => got.push(`${name} refused`),
  )
  return slot
}

/** Lets every promise that is due go on. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a slot to send in', () => {
  it('is given at once while there are some, then in the order of asking', async () => {
    const [outbox, got] = [outboxOf(2), [] as string[]]
    const [a, b] = [await ask(outbox, got, 'a'), await ask(outbox, got, 'b')]
    const waiting = ['c', 'd', 'e'].map((name) => ask(outbox, got, name))
    await turn()
    expect(got).toEqual(['a', 'b'])

    b[Symbol.dispose]()
    await turn()
    expect(got).toEqual(['a', 'b', 'c'])
    a[Symbol.dispose]()
    await turn()
    expect(got).toEqual(['a', 'b', 'c', 'd'])
    ;(await waiting[0])?.[Symbol.dispose]()
    await turn()
    expect(got).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('passes on to the one that waits, not to one that comes in the same moment', async () => {
    const [outbox, got] = [outboxOf(1), [] as string[]]
    const a = await ask(outbox, got, 'a')
    const b = ask(outbox, got, 'b')

    a[Symbol.dispose]()
    void ask(outbox, got, 'late')
    await turn()

    expect(got).toEqual(['a', 'b'])
    ;(await b)[Symbol.dispose]()
    await turn()
    expect(got).toEqual(['a', 'b', 'late'])
  })

  it('is given back once, however often it is disposed', async () => {
    const [outbox, got] = [outboxOf(1), [] as string[]]
    const a = await ask(outbox, got, 'a')

    a[Symbol.dispose]()
    a[Symbol.dispose]()
    for (const name of ['b', 'c']) void ask(outbox, got, name)
    await turn()

    expect(got).toEqual(['a', 'b'])
  })

  it('is refused with the reason of the signal, before and while waiting, and the others keep their order', async () => {
    const [outbox, got] = [outboxOf(1), [] as string[]]
    const [stop, reason] = [new AbortController(), new Error('stopping')]
    const a = await ask(outbox, got, 'a')
    const b = ask(outbox, got, 'b', stop.signal)
    for (const name of ['c', 'd']) void ask(outbox, got, name)

    stop.abort(reason)
    await expect(b).rejects.toBe(reason)
    await expect(outbox.takeSlot(stop.signal)).rejects.toBe(reason)
    a[Symbol.dispose]()
    await turn()

    expect(got).toEqual(['a', 'b refused', 'c'])
  })

  it('stays with whom it was passed to when the signal comes a moment later, and nobody else loses a place', async () => {
    const [outbox, got] = [outboxOf(1), [] as string[]]
    const stop = new AbortController()
    const a = await ask(outbox, got, 'a')
    const b = ask(outbox, got, 'b', stop.signal)
    void ask(outbox, got, 'c')

    a[Symbol.dispose]()
    stop.abort()
    ;(await b)[Symbol.dispose]()
    await turn()

    expect(got).toEqual(['a', 'b', 'c'])
  })
})

describe('the sends under way', () => {
  it('are halved when the server is busy, and more again when it takes them', async () => {
    const outbox = outboxOf(4)
    const signal = AbortSignal.timeout(10_000)
    const slots = await Promise.all([1, 2, 3, 4].map(() => outbox.takeSlot(signal)))
    outbox.noteSend({ startedAt: performance.now(), isBusy: true })
    for (const slot of slots) slot[Symbol.dispose]()

    const two = await Promise.all([1, 2].map(() => outbox.takeSlot(signal)))
    let hasThird = false
    const third = outbox.takeSlot(signal).then((slot) => {
      hasThird = true
      return slot
    })
    await Promise.resolve()
    expect(hasThird).toBe(false)
    for (let each = 0; each < 10; each++) outbox.noteSend({ startedAt: performance.now(), isBusy: false })
    two[0]?.[Symbol.dispose]()

    await third
    await outbox.takeSlot(signal)
    expect(hasThird).toBe(true)
  })
})

describe('a pause', () => {
  it('lasts until the latest moment that anybody asked for', () => {
    const outbox = outboxOf(1)

    outbox.pause(5_000, 1_000)
    outbox.pause(1_000, 1_000)

    expect([outbox.pauseMs(1_000), outbox.pauseMs(5_500), outbox.pauseMs(9_000)]).toEqual([5_000, 500, 0])
  })

  it('is remembered after its end, until the server has dealt with a mail since', () => {
    const outbox = outboxOf(1)
    outbox.pause(5_000, 1_000, 'The server is busy')

    outbox.noteSent(3_000)
    expect(outbox.lastPause).toEqual({ sinceMs: 1_000, untilMs: 6_000, reason: 'The server is busy' })
    expect(outbox.pauseMs(6_000)).toBe(0)
    expect(outbox.lastPause).toBeDefined()
    outbox.noteSent(6_000)

    expect(outbox.lastPause).toBeUndefined()
  })
})

describe('a turn after the rate was met', () => {
  it('is its own for each bulk notice, and the first free one for an urgent notice', () => {
    const outbox = outboxOf(1, 120)

    const turns = (['bulk', 'bulk', 'urgent', 'bulk'] as const).map((lane) => outbox.nextTurnMs(300, lane, 10_000))

    expect(turns).toEqual([300, 800, 300, 1_300])
  })
})
