import { PermanentError, RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import type { ManagedDevice } from './graph.ts'
import { addPage, type PageWalk } from './page-walk.ts'
import { createWalkMemory } from './walk-memory.ts'

const signal = new AbortController().signal
const row = (id: string) => ({ id }) as ManagedDevice

/** A list of pages '0', '1', …; `fail` says what reading a page throws. */
function createList(pages: number, fail: (page: number) => Error | undefined = () => undefined) {
  const reads: number[] = []
  const advance = async (walk: PageWalk<ManagedDevice>) => {
    while (walk.next !== undefined) {
      const page = Number(walk.next)
      reads.push(page)
      const error = fail(page)
      if (error !== undefined) throw error
      addPage(walk, { rows: [row(`d${page}`)], next: page + 1 < pages ? String(page + 1) : undefined })
    }
  }
  return { reads, run: { first: '0', advance } }
}

function failing(page: number, errors: Error[]) {
  return (current: number) => (current === page ? errors.shift() : undefined)
}

const throttled = () => new RetryableError('graph-throttled', 'x')
const unavailable = () => new RetryableError('graph-unavailable', 'x')

it('goes on from the page that was throttled', async () => {
  const memory = createWalkMemory()
  const list = createList(3, failing(1, [throttled(), throttled()]))

  await expect(memory.devices('run', list.run, signal)).rejects.toThrow()
  expect(memory.holdsAny()).toBe(true)
  await expect(memory.devices('run', list.run, signal)).rejects.toThrow()
  const { rows } = await memory.devices('run', list.run, signal)

  expect([...rows.keys()]).toEqual(['d0', 'd1', 'd2'])
  expect(list.reads).toEqual([0, 1, 1, 1, 2])
})

it('does not read a finished list again because another list of the walk was throttled', async () => {
  const memory = createWalkMemory()
  const devices = createList(2)
  const members = createList(1, failing(0, [throttled()]))
  await memory.devices('run', devices.run, signal)
  await expect(memory.members('run', 'g', members.run as never, signal)).rejects.toThrow()

  await memory.devices('run', devices.run, signal)
  await memory.members('run', 'g', members.run as never, signal)

  expect(devices.reads).toEqual([0, 1])
  expect(members.reads).toEqual([0, 0])
  expect(memory.holdsAny()).toBe(false)
})

it('reads anew for whoever does not believe the answer', async () => {
  const memory = createWalkMemory()
  const list = createList(1)

  await memory.devices('run', list.run, signal)
  await memory.devices('run', list.run, signal)

  expect(list.reads).toEqual([0, 0])
})

it('begins anew after a fault that the same page would only repeat', async () => {
  const memory = createWalkMemory()
  const list = createList(2, failing(1, [new PermanentError('graph-foreign-link', 'x')]))

  await expect(memory.devices('run', list.run, signal)).rejects.toThrow()
  await memory.devices('run', list.run, signal)

  expect(list.reads).toEqual([0, 1, 0, 1])
})

it('begins anew when a page has failed three times', async () => {
  const memory = createWalkMemory()
  const list = createList(2, failing(1, [unavailable(), unavailable(), unavailable()]))

  for (let time = 0; time < 3; time += 1) await expect(memory.devices('run', list.run, signal)).rejects.toThrow()
  await memory.devices('run', list.run, signal)

  expect(list.reads).toEqual([0, 1, 1, 1, 0, 1])
})

it('keeps four walks and each for half an hour', async () => {
  let now = 0
  const memory = createWalkMemory(() => now)
  const lists = Array.from({ length: 5 }, () => createList(2, failing(1, [throttled()])))
  for (const [index, list] of lists.entries()) await expect(memory.devices(`run${index}`, list.run, signal)).rejects.toThrow()

  await memory.devices('run0', lists[0]?.run as never, signal)
  await memory.devices('run4', lists[4]?.run as never, signal)
  now = 31 * 60_000
  await memory.devices('run3', lists[3]?.run as never, signal)

  expect(lists[0]?.reads).toEqual([0, 1, 0, 1])
  expect(lists[4]?.reads).toEqual([0, 1, 1])
  expect(lists[3]?.reads).toEqual([0, 1, 0, 1])
})

it('lets a second caller wait for the first, and aborts the wait with its signal', async () => {
  const memory = createWalkMemory()
  const gate = Promise.withResolvers<void>()
  const list = createList(1)
  const slow = { first: '0', advance: async (walk: PageWalk<ManagedDevice>) => gate.promise.then(() => list.run.advance(walk)) }
  const first = memory.devices('run', slow, signal)
  const stop = new AbortController()
  const second = memory.devices('run', list.run, stop.signal)

  stop.abort(new Error('stopped'))

  await expect(second).rejects.toThrow('stopped')
  gate.resolve()
  expect((await first).rows.size).toBe(1)
})
