import { setTimeout as delay } from 'node:timers/promises'
import { createTopology } from '@gatehouse/broker'
import { runMeasuredSync, type System } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { FULL_SYNC, RIGHT, readEndState, startTestSystem } from '../end-to-end/start-test-system.ts'
import { connectAsAdmin } from '../environment/connect-as-admin.ts'
import { sumSamples } from '../environment/sum-samples.ts'
import { countWrites, whenWritten } from './count-writes.ts'
import { readMetrics } from './read-metrics.ts'

const POLL_MS = 100
/** The sync is still under way when its messages are lost, however busy the machine is. */
const SLOW_MS = 400
const QUEUES = createTopology().queues.map(({ name }) => name)

it('carries a sync to its end whose messages the broker has lost', { timeout: 240_000 }, async ({ signal }) => {
  await using system = await startTestSystem({ latencyMs: SLOW_MS }, signal)

  const sync = runMeasuredSync(system, FULL_SYNC, signal)
  await whenWritten(system, 20, signal)
  const lost = await loseEverything(system, signal)
  const written = await countWrites(system)
  await pretendLongAgo(system)
  const { run } = await sync

  expect(lost).toBeGreaterThan(0)
  expect(run.status).toBe('succeeded')
  expect(await countWrites(system)).toBeGreaterThan(written)
  expect(await readEndState(system)).toMatchObject(RIGHT)
})

/**
 * Empties every queue until no worker has anything in hand that could fill one again. The workers do not answer at one moment, so a
 * message could pass between two answers from one to another; it would have been counted when they are asked the next time.
 * @returns how many messages it took.
 */
async function loseEverything(system: System, signal: AbortSignal): Promise<number> {
  const model = await connectAsAdmin(system)
  try {
    const channel = await model.createChannel()
    let lost = 0
    let before = -1
    for (;;) {
      const { inHand, moved } = await readTraffic(system)
      let now = 0
      for (const queue of QUEUES) now += (await channel.purgeQueue(queue)).messageCount
      lost += now
      if (inHand + now === 0 && moved === before) return lost
      before = moved
      await delay(POLL_MS, undefined, { signal })
    }
  } finally {
    await model.close()
  }
}

async function readTraffic(system: System): Promise<{ inHand: number; moved: number }> {
  const page = (await readMetrics(system)).join('\n')
  return {
    inHand: sumSamples(page, /^gatehouse_messages_unacknowledged(?:\{.*\})? (\d+)$/gm),
    moved: sumSamples(page, /^gatehouse_messages_(?:handled|published)_total(?:\{.*\})? (\d+)$/gm),
  }
}

/** Control waits a quarter of an hour before it takes messages for lost. */
async function pretendLongAgo({ store }: System): Promise<void> {
  for (const [table, column] of [
    ['sync_runs', 'started_at'],
    ['sync_runs', 'discovered_at'],
    ['sync_runs', 'looked_up_at'],
    ['mailbox_decisions', 'decided_at'],
    ['mailbox_enforcements', 'at'],
  ] as const) {
    const moved = sql.ref(column)
    await sql`update ${sql.table(table)} set ${moved} = ${moved} - interval '16 minutes'`.execute(store.db)
  }
}
