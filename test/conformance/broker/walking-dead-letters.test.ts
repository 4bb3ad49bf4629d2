import { randomUUID } from 'node:crypto'
import { type DeadLetter, putDeadLetter, readDeadLetters, type StoredLetter, visitDeadLetters } from '@gatehouse/broker'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { onEachBroker } from './on-each-broker.ts'

const QUEUE = 'gh.discovery.dead'

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Empties the dead queue and fills it with letters numbered in their content. */
async function fill(count: number): Promise<void> {
  await broker.manage({ method: 'DELETE', path: `/api/queues/${broker.vhost}/${QUEUE}/contents` })
  await using control = await broker.connect({ as: 'control' })
  const letterOf = (n: number): StoredLetter => {
    return { service: 'discovery', messageId: randomUUID(), type: 'discovery.sync', headers: {}, content: Buffer.from(`${n}`) }
  }
  for (let n = 0; n < count; n += 1_000)
    await Promise.all(
      Array.from({ length: Math.min(1_000, count - n) }, (_, i) => putDeadLetter(control, letterOf(n + i), broker.signal)),
    )
  await until(async () => (await broker.depth(QUEUE)) === count)
}

const numberOf = (letter: DeadLetter): number => Number(letter.content.toString())

it('takes what it is told to, however much it has to hold, and leaves the rest', async () => {
  await fill(3_000)
  await using control = await broker.connect({ as: 'control' })
  const taken: number[] = []
  const visit = async (letter: DeadLetter): Promise<'take' | 'leave'> => {
    await Promise.resolve()
    if (numberOf(letter) % 10 !== 3) return 'leave'
    taken.push(numberOf(letter))
    return 'take'
  }

  const result = await visitDeadLetters(control, { source: 'discovery', windowMax: 20, visit }, broker.signal)

  expect(result).toEqual({ total: 3_000, seen: 3_000, taken: 300, others: 0 })
  expect(taken).toHaveLength(300)
  await until(async () => (await broker.depth(QUEUE)) === 2_700)
  const left = await readDeadLetters(control, { service: 'discovery', limit: 5_000 }, broker.signal)
  const expected = Array.from({ length: 3_000 }, (_, n) => n).filter((n) => n % 10 !== 3)
  expect(left.messages.map(numberOf).sort((a, b) => a - b)).toEqual(expected)
})

it('never holds more promises than its window', async () => {
  await fill(500)
  await using control = await broker.connect({ as: 'control' })
  let inHand = 0
  let most = 0
  const visit = async (): Promise<'take'> => {
    inHand += 1
    most = Math.max(most, inHand)
    await new Promise((resolve) => setImmediate(resolve))
    inHand -= 1
    return 'take'
  }

  const { taken } = await visitDeadLetters(control, { source: 'discovery', windowMax: 7, visit }, broker.signal)

  expect(taken).toBe(500)
  expect(most).toBeLessThanOrEqual(7)
  await until(async () => (await broker.depth(QUEUE)) === 0)
})

it('does not visit what came after it began', async () => {
  await fill(10)
  await using control = await broker.connect({ as: 'control' })
  const letter = { service: 'discovery', messageId: 'later', type: 'x', headers: {}, content: Buffer.from('99') } as const
  let isFirst = true
  const visit = async (): Promise<'take'> => {
    if (isFirst) {
      isFirst = false
      await putDeadLetter(control, letter, broker.signal)
    }
    return 'take'
  }

  const result = await visitDeadLetters(control, { source: 'discovery', windowMax: 2, visit }, broker.signal)

  expect(result).toEqual({ total: 10, seen: 10, taken: 10, others: 0 })
  await until(async () => (await broker.depth(QUEUE)) === 1)
})

it('finishes what is under way when told to stop, and gives the rest back', async () => {
  await fill(50)
  await using control = await broker.connect({ as: 'control' })
  const stop = new AbortController()
  const opened = Promise.withResolvers<void>()
  let begun = 0
  const visit = async (): Promise<'take'> => {
    begun += 1
    if (begun === 5) stop.abort(new Error('enough'))
    await opened.promise
    return 'take'
  }

  const visiting = visitDeadLetters(control, { source: 'discovery', windowMax: 5, visit }, stop.signal)
  stop.signal.addEventListener('abort', () => opened.resolve())

  await expect(visiting).rejects.toThrow('enough')
  await until(async () => (await broker.depth(QUEUE)) === 45)
})

it('leaves everything that was not taken when the connection is lost', async () => {
  await fill(50)
  await using control = await broker.connect({ as: 'control' })
  const begun = Promise.withResolvers<void>()
  const visit = (): Promise<'take'> => {
    begun.resolve()
    return new Promise(() => {})
  }

  const visiting = visitDeadLetters(control, { source: 'discovery', visit }, broker.signal)
  const refused = expect(visiting).rejects.toMatchObject({ code: 'dead-letters-interrupted' })
  await begun.promise
  await control[Symbol.asyncDispose]()

  await refused
  await until(async () => (await broker.depth(QUEUE)) === 50)
})

it('walks in order and gives everything back in order when nothing is taken', async () => {
  await fill(2_500)
  await using control = await broker.connect({ as: 'control' })
  const read = () => readDeadLetters(control, { service: 'discovery', limit: 5_000 }, broker.signal)

  const first = await read()
  const second = await read()

  const expected = Array.from({ length: 2_500 }, (_, n) => n)
  expect(first.messages.map(numberOf)).toEqual(expected)
  expect(second.messages.map(numberOf)).toEqual(expected)
})
