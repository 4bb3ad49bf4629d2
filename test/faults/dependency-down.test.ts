import { setTimeout as delay } from 'node:timers/promises'
import { runMeasuredSync, type System } from '@gatehouse/cli/system'
import { describe, expect, inject, it } from 'vitest'
import { FULL_SYNC, RIGHT, readEndState, startTestSystem } from '../end-to-end/start-test-system.ts'
import { startCuttableProxy } from '../environment/cuttable-proxy.ts'
import type {} from '../environment/provided-parts.ts'
import { whenWritten } from './count-writes.ts'
import { readMetrics } from './read-metrics.ts'

const POLL_MS = 100
/** The sync is still under way when the dependency goes down, however busy the machine is. */
const SLOW_MS = 400

/** Resolves when `gatehouse status` says so. */
async function whenHeld(system: System, pattern: RegExp, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const { holds } = (await system.control.get('/api/status')) as { holds: string[] }
    if (holds.some((hold) => pattern.test(hold))) return
    await delay(POLL_MS, undefined, { signal })
  }
}

describe('a dependency that is down for longer than the attempts of a message would last', { timeout: 240_000 }, () => {
  it('keeps compliance-lookup from its queues, and costs nothing: Graph', async ({ signal }) => {
    await using system = await startTestSystem({}, signal)
    await system.simulators.post('microsoft', '/__simulator/faults', { graph: { unavailable: true } })

    const sync = runMeasuredSync(system, FULL_SYNC, signal)
    await whenHeld(system, /^compliance-lookup is paused since .*: Graph: .*mailboxes wait$/, signal)
    await system.simulators.post('microsoft', '/__simulator/faults', {})
    const { run } = await sync

    expect(run.status).toBe('succeeded')
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })

  it('keeps whoever has work from its queues, and costs nothing: PostgreSQL', async ({ signal }) => {
    await using proxy = await startCuttableProxy(inject('parts').databaseUrl)
    const env = { ...process.env, GATEHOUSE_DATABASE_URL: proxy.url, GATEHOUSE_BROKER_MAX_ATTEMPTS: '1' }
    await using system = await startTestSystem({ latencyMs: SLOW_MS, env }, signal)
    const waiting = async (): Promise<number> => {
      const texts = await readMetrics(system)
      return texts.filter((text) => /gatehouse_dependency_paused\{dependency="PostgreSQL",[^}]*\} 1/.test(text)).length
    }

    const sync = runMeasuredSync(system, FULL_SYNC, signal)
    await whenWritten(system, 20, signal)
    proxy.refuse(true)
    proxy.cut()
    // Whoever has a message in hand notices: enforcement has, the others may be through with theirs.
    while ((await waiting()) < 1) await delay(POLL_MS, undefined, { signal })
    proxy.refuse(false)
    const { run } = await sync

    expect(run.status).toBe('succeeded')
    // With a single attempt each, any that had been spent would have left a dead letter.
    expect(await readEndState(system)).toMatchObject(RIGHT)
  })
})
