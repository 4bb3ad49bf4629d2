import { runMeasuredSync, WORKER_NAMES } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { FULL_SYNC, RIGHT, readEndState, startTestSystem } from '../end-to-end/start-test-system.ts'
import { whenWritten } from './count-writes.ts'

describe('a worker killed in the middle of a sync and started again', { timeout: 240_000 }, () => {
  for (const worker of WORKER_NAMES) {
    it(`leaves the right end state and sends no mail twice: ${worker}`, async ({ signal }) => {
      await using system = await startTestSystem({ latencyMs: 40 }, signal)

      const sync = runMeasuredSync(system, FULL_SYNC, signal)
      await whenWritten(system, 20, signal)
      await system.workers.crash(worker)
      const { run } = await sync

      expect(run.status).toBe('succeeded')
      expect(await readEndState(system)).toMatchObject(RIGHT)
    })
  }
})

describe('connections cut in the middle of a sync', { timeout: 240_000 }, () => {
  it('loses nothing when PostgreSQL ends every connection of the workers', async ({ signal }) => {
    await using system = await startTestSystem({ latencyMs: 40 }, signal)

    const sync = runMeasuredSync(system, FULL_SYNC, signal)
    await whenWritten(system, 20, signal)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
      system.store.db,
    )
    const { run } = await sync

    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })

  it('loses nothing when RabbitMQ is stopped and started again', async ({ signal }) => {
    await using system = await startTestSystem({ latencyMs: 40 }, signal)

    const sync = runMeasuredSync(system, FULL_SYNC, signal)
    await whenWritten(system, 20, signal)
    await system.parts.broker?.restart?.()
    const { run } = await sync

    expect(system.parts.broker?.restart).toBeDefined()
    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })
})
