import { randomUUID } from 'node:crypto'
import { connectBroker } from '@gatehouse/broker'
import { runMeasuredSync, type System } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { FULL_SYNC, RIGHT, readEndState, startTestSystem } from '../end-to-end/start-test-system.ts'
import { migrateFurther, type migrationThat } from '../environment/migrate-further.ts'
import { sumSamples } from '../environment/sum-samples.ts'
import { until } from '../environment/until.ts'

const STOP_MS = 40_000

/** A later build's migration: a table, and a column that this build never writes. */
const ADDING = {
  '9001-adds': {
    up: async (db: Parameters<ReturnType<typeof migrationThat>['up']>[0]) => {
      await sql`alter table mailboxes add column added_later text`.execute(db)
      await sql`create table added_later (id uuid primary key)`.execute(db)
    },
  },
}

const writtenIn = async ({ store }: System): Promise<number> =>
  (await store.db.selectFrom('access_changes').select('id').where('written_at', 'is not', null).execute()).length

/** Asks a copy to stop; whoever supervises it starts another, which comes upon things as they are now. */
async function replace(system: System, worker: string): Promise<void> {
  const before = system.workers.running.get(worker)
  await before?.stop(STOP_MS)
  await until(() => ![undefined, before].includes(system.workers.running.get(worker)))
}

/** How many messages the copies of a worker have put aside for this reason. */
async function putAside(system: System, worker: string, reason: string): Promise<number> {
  const healthUrl = system.workers.running.get(worker)?.ready.healthUrl ?? ''
  const metrics = await (await fetch(`${healthUrl}/metrics`, { headers: { connection: 'close' } })).text()
  const pattern = new RegExp(`^gatehouse_messages_delayed_total\\{[^}]*reason="${reason}"[^}]*\\} (\\d+)`, 'gm')
  return sumSamples(metrics, pattern)
}

describe('two builds side by side', { timeout: 240_000 }, () => {
  it('carry out a sync while the database is migrated further and every copy is replaced, one after the other', async ({
    signal,
  }) => {
    await using system = await startTestSystem({ latencyMs: 40, copies: { discovery: 2, enforcement: 2 } }, signal)

    const sync = runMeasuredSync(system, FULL_SYNC, signal)
    await until(async () => (await writtenIn(system)) > 5)
    await migrateFurther(system.store, ADDING)
    for (const worker of [...system.workers.running.keys()]) await replace(system, worker)
    const { run } = await sync

    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })

  it('leave a message of a newer build to it: the older copy puts it aside, and the rest goes on', async ({ signal }) => {
    await using system = await startTestSystem({}, signal)
    const { amqpUrl = '' } = system.parts.broker ?? {}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const limits = { unconfirmedMax: 10, prefetchMax: 10, maxAttempts: 1, laterAgeMsMax: 60_000 }
    await using newer = await connectBroker({ url: amqpUrl, connectionName: 'gatehouse-newer', log, ...limits }, signal)
    const publish = (type: string, version: number, routingKey: string) => {
      const content = Buffer.from(JSON.stringify({ type, version, messageId: randomUUID(), at: new Date().toISOString() }))
      const headers = { 'gh-attempt': 1 }
      const to = { exchange: 'gh.events', routingKey, messageId: randomUUID(), type }
      return newer.publishRaw({ ...to, content, headers }, signal)
    }

    await publish('mailbox.decided', 2, 'bulk.mailbox.decided.v2')
    await publish('mailbox.decided-twice', 1, 'bulk.mailbox.decided.v1')
    const { run } = await runMeasuredSync(system, FULL_SYNC, signal)

    await until(async () => (await putAside(system, 'enforcement', 'newer-version')) > 0)
    await until(async () => (await putAside(system, 'enforcement', 'unknown-type')) > 0)
    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })
})
