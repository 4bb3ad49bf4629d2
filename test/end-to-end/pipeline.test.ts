import { runMeasuredSync } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { FULL_SYNC, RIGHT, readEndState, startTestSystem } from './start-test-system.ts'

describe('the whole pipeline', { timeout: 240_000 }, () => {
  it('brings every device of the organisation to its right state, and finds nothing to do the second time', async ({
    signal,
  }) => {
    await using system = await startTestSystem({}, signal)

    const first = await runMeasuredSync(system, FULL_SYNC, signal)
    const second = await runMeasuredSync(system, { ...FULL_SYNC, confirmed: false }, signal)

    expect(first.run).toMatchObject({ status: 'succeeded', problem: null })
    expect(await readEndState(system)).toMatchObject(RIGHT)
    const exchange = await system.simulators.exchangeState()
    expect(first.writes).toBe(exchange.writesLeast)
    expect(exchange.duplicateAdds).toBe(0)
    expect(second).toMatchObject({ writes: 0, run: { status: 'succeeded' } })
  })

  it('sends a notice for every block, before the block', async ({ signal }) => {
    await using system = await startTestSystem({}, signal)

    await runMeasuredSync(system, FULL_SYNC, signal)

    const { rows } = await sql<{ blocks: number; unannounced: number; late: number }>`
      select count(*)::int as blocks,
             count(*) filter (where notices.sent_at is null)::int as unannounced,
             count(*) filter (where notices.sent_at > access_changes.written_at)::int as late
      from access_changes left join notices on notices.change_id = access_changes.id
      where access_changes.state in ('written', 'verified') and jsonb_array_length(access_changes.plan->'blockAdd') > 0`.execute(
      system.store.db,
    )
    expect(rows[0]?.blocks).toBeGreaterThan(5)
    expect(rows[0]).toMatchObject({ unannounced: 0, late: 0 })
  })

  it('writes nothing and mails nobody in report-only mode, but records what it would do', async ({ signal }) => {
    await using system = await startTestSystem({ reportOnly: true }, signal)

    const { run } = await runMeasuredSync(system, FULL_SYNC, signal)

    const exchange = await system.simulators.exchangeState()
    expect(run.status).toBe('succeeded')
    expect(exchange.cmdlets['Set-CASMailbox'] ?? 0).toBe(0)
    expect(exchange.mailCount).toBe(0)
    const reported = await sql<{ n: number }>`select count(*)::int as n from access_changes where state = 'reported'`.execute(
      system.store.db,
    )
    expect(reported.rows[0]?.n).toBe(exchange.writesLeast)
  })

  it('holds a run that would block too many until an administrator confirms it, and blocks nobody before', async ({
    signal,
  }) => {
    await using system = await startTestSystem({}, signal)

    const held = await runMeasuredSync(system, { ...FULL_SYNC, confirmed: false }, signal)
    const blockedBefore = await countBlocks(system)
    await system.control.post(`/api/syncRuns/${held.run.id}/confirm`, {})
    const { watchSyncRun } = await import('@gatehouse/cli/system')
    const confirmed = await watchSyncRun(system.control, held.run.id, FULL_SYNC, signal)

    expect(held.run).toMatchObject({ status: 'held', brake: 'held' })
    expect(held.run.wouldBlock).toBeGreaterThan(held.run.brakeLimit)
    expect(blockedBefore).toBe(0)
    expect(confirmed.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })

  it('is right with two copies of every worker, within the shells of the account', async ({ signal }) => {
    await using system = await startTestSystem(
      { copies: { control: 2, discovery: 2, 'compliance-lookup': 2, enforcement: 2, notification: 2 } },
      signal,
    )

    const { run } = await runMeasuredSync(system, FULL_SYNC, signal)

    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
    const exchange = await system.simulators.exchangeState()
    expect(exchange.mostShells).toBeLessThanOrEqual(18)
    expect(exchange.refusals['too-many-shells'] ?? 0).toBe(0)
  })
})

async function countBlocks(system: { store: { db: Parameters<ReturnType<typeof sql>['execute']>[0] } }): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from access_changes where written_at is not null and jsonb_array_length(plan->'blockAdd') > 0`.execute(
    system.store.db,
  )
  return rows[0]?.n ?? -1
}
