import type { SyncType } from '@gatehouse/store'
import { organizationIdOf } from '@gatehouse/worker'
import { Cron } from 'croner'
import type { ControlDeps } from './control-deps.ts'
import { startSyncs } from './start-sync.ts'

/**
 * Starts syncs of every organisation by the clock. Every copy of control fires; the run of a moment is unique by its cause, so
 * only one of them starts it.
 */
export function startScheduler(deps: ControlDeps, signal: AbortSignal): AsyncDisposable {
  const { schedule } = deps.settings
  if (!schedule.enabled) return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const underWay = new Set<Promise<void>>()
  const fire = (syncType: SyncType) => {
    const firing = startAll(syncType, deps, signal).finally(() => underWay.delete(firing))
    underWay.add(firing)
    return firing
  }
  const options = { protect: true, catch: true, unref: true }
  const jobs = [
    new Cron(schedule.fullSync, options, () => fire('fullSync')),
    new Cron(schedule.deltaSync, options, () => fire('deltaSync')),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      for (const job of jobs) job.stop()
      await Promise.all(underWay)
    },
  }
}

async function startAll(syncType: SyncType, deps: ControlDeps, signal: AbortSignal): Promise<void> {
  const cause = scheduleCause(deps.now())
  const requests = deps.settings.organizations.map(({ name }) => ({ organizationId: organizationIdOf(name), syncType, cause }))
  // This one is tried again when the clock says so.
  const onFailure = (error: unknown, { organizationId }: { organizationId: string }) =>
    deps.log.error({ err: error, organizationId, syncType }, 'A scheduled sync could not be started')
  await startSyncs(requests, deps, onFailure, signal)
}

/** The minute, not the instant: two copies whose clocks differ by less name the same moment. */
export function scheduleCause(now: Date): string {
  return `schedule ${now.toISOString().slice(0, 16)}Z`
}
