import { type AccessStateCount, countAccessStates, readOrganizationFacts } from '@gatehouse/store'
import type { ControlDeps } from '../control-deps.ts'
import type { FactsRead } from './create-organization-metrics.ts'
import { startWatch } from './start-watch.ts'

export type FactsWatchOptions = {
  readonly db: ControlDeps['db']
  readonly log: Pick<ControlDeps['log'], 'warn'>
  readonly nowMs: () => number
  readonly set: (read: FactsRead) => void
}

const EVERY_MS = 30_000
/** Counting the devices reads every one of them. */
const DEVICES_MS = 300_000

/**
 * Reads how the organisations are every half minute, for Prometheus. Every copy of control does; they say the same, so that one that
 * dies is not missed.
 */
export function startFactsWatch({ db, log, nowMs, set }: FactsWatchOptions): AsyncDisposable {
  let accessStates: readonly AccessStateCount[] = []
  let countedMs = Number.NEGATIVE_INFINITY
  const look = async (): Promise<void> => {
    const facts = await readOrganizationFacts(db)
    const atMs = nowMs()
    if (atMs - countedMs >= DEVICES_MS) {
      accessStates = await countAccessStates(db)
      countedMs = atMs
    }
    set({ atMs, facts, accessStates })
  }
  const onFailure = (error: unknown): void =>
    log.warn({ err: error }, 'How the organisations are could not be read; it is tried again')
  return startWatch({ look, everyMs: EVERY_MS, onFailure })
}
