import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import {
  beginMessage,
  createDatabase,
  endMessage,
  forgetMessage,
  isMessageDone,
  pruneProcessedMessages,
  type Store,
} from '../src/index.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let store: Store
beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 4, onConnectionError: () => {} })
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const createKey = () => ({ service: 'enforcement', messageId: randomUUID() })

it('knows a message again that was begun, and one whose effect took place', async () => {
  const key = createKey()

  const first = await beginMessage(store.pool, key)
  const again = await beginMessage(store.pool, key)
  await endMessage(store.pool, key)
  const copy = await beginMessage(store.pool, key)
  const isDone = await isMessageDone(store.pool, key)

  expect(first).toEqual({ state: 'new' })
  expect(again).toEqual({ state: 'begun', begunMs: expect.any(Number) })
  expect(copy).toEqual({ state: 'done' })
  expect(isDone).toBe(true)
})

it('lets one of two begin', async () => {
  const key = createKey()

  const states = await Promise.all([beginMessage(store.pool, key), beginMessage(store.pool, key)])

  expect(states.map(({ state }) => state).toSorted()).toEqual(['begun', 'new'])
})

it('forgets one that certainly had no effect, and never one that had', async () => {
  const [undone, done] = [createKey(), createKey()]
  for (const key of [undone, done]) await beginMessage(store.pool, key)
  await endMessage(store.pool, done)

  for (const key of [undone, done]) await forgetMessage(store.pool, key)

  expect(await beginMessage(store.pool, undone)).toEqual({ state: 'new' })
  expect(await beginMessage(store.pool, done)).toEqual({ state: 'done' })
})

it('forgets those of a service that are old enough', async () => {
  const [old, young, other] = [createKey(), createKey(), { service: 'notification', messageId: randomUUID() }]
  for (const key of [old, young, other]) await beginMessage(store.pool, key)
  const age = `update processed_messages set begun_at = now() - interval '2 hours' where message_id = any($1::uuid[])`
  await store.pool.query(age, [[old.messageId, other.messageId]])

  const pruned = await pruneProcessedMessages(store.pool, { service: 'enforcement', olderThanMs: 3_600_000 })

  expect(pruned).toBe(1)
  const states = await Promise.all([old, young, other].map((key) => beginMessage(store.pool, key)))
  expect(states.map(({ state }) => state)).toEqual(['new', 'begun', 'begun'])
})
