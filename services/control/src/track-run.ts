import type { ProblemJson, Row, RunCounts } from '@gatehouse/store'

export type RunFacts = {
  readonly run: Pick<Row<'sync_runs'>, 'status' | 'brake' | 'started_at' | 'discovered_at' | 'looked_up_at'>
  readonly counts: RunCounts
  /** How many mailboxes compliance-lookup asked to be decided for this run because their Intune side changed. */
  readonly changedMailboxes: number
  /** When its commands were published again because they seemed lost. */
  readonly requestedAgainAt?: Date | undefined
}

export type RunLimits = {
  readonly brakeMinimum: number
  readonly brakePercent: number
  /** A running run that has not moved for so long may have lost something on its way. */
  readonly quietMs: number
  /** One that has not moved for so long has. */
  readonly stalledMs: number
  /** A held run that nobody confirms: its messages do not wait for ever either. */
  readonly unconfirmedMs: number
}

export type RunVerdict = {
  readonly status: Row<'sync_runs'>['status']
  readonly brake: Row<'sync_runs'>['brake']
  readonly brakeLimit: number
  readonly problem?: ProblemJson
  /** It should move and has not, for `quietMs`. */
  readonly isQuiet?: boolean
}

/**
 * Where a run stands, from what is counted in the tables now; the same facts always give the same verdict, so it does not
 * matter how often, by whom and after which message it is asked.
 */
export function trackRun(facts: RunFacts, limits: RunLimits, now: Date): RunVerdict {
  const { run, counts } = facts
  const brakeLimit = Math.max(limits.brakeMinimum, Math.floor((counts.partnerships * limits.brakePercent) / 100))
  if (run.status === 'succeeded' || run.status === 'failed') return { status: run.status, brake: run.brake, brakeLimit }
  const idleMs = now.getTime() - lastMoved(facts).getTime()
  const isDecided = isEverythingDecided(facts, idleMs)
  const brake = nextBrake(facts, { isDecided, brakeLimit })
  if (isDecided && counts.enforced >= counts.mailboxes) return { ...finish(counts), brake, brakeLimit }
  if (brake === 'held') {
    if (idleMs <= limits.unconfirmedMs) return { status: 'held', brake, brakeLimit }
    return { status: 'failed', brake, brakeLimit, problem: UNCONFIRMED }
  }
  if (idleMs <= limits.stalledMs) return { status: 'running', brake, brakeLimit, isQuiet: idleMs > limits.quietMs }
  return { status: 'failed', brake, brakeLimit, problem: STALLED }
}

const QUIET_MS = 30_000

const UNCONFIRMED: ProblemJson = {
  code: 'sync-unconfirmed',
  message: 'The brake held this run and nobody confirmed it; start another sync when you have looked at the decisions',
}
const STALLED: ProblemJson = {
  code: 'sync-stalled',
  message: 'The run has not moved for a long time; look at the dead letters and at the workers, then start another sync',
}

/**
 * Which mailboxes changed at Intune is not known, only how many. One that Exchange's side published too, or that a newer run
 * has taken over, never shows up among those decided by change: when all is quiet, none is to come any more.
 */
function isEverythingDecided({ run, counts, changedMailboxes }: RunFacts, idleMs: number): boolean {
  if (run.discovered_at === null || run.looked_up_at === null || counts.decided < counts.mailboxes) return false
  return counts.decidedByChange >= changedMailboxes || idleMs > QUIET_MS
}

function nextBrake({ run, counts }: RunFacts, { isDecided, brakeLimit }: { isDecided: boolean; brakeLimit: number }) {
  if (run.brake === 'confirmed' || run.brake === 'held') return run.brake
  // Where nothing is written (report-only) there is nothing to brake.
  const isOver = counts.wouldBlockLive > brakeLimit
  // Decisions may still come in after the release; they must not slip past the brake.
  if (run.brake === 'released') return isOver ? 'held' : 'released'
  if (!isDecided) return 'counting'
  return isOver ? 'held' : 'released'
}

/** A mailbox that failed does not fail the run; when every one did, it is not the mailboxes. */
function finish(counts: RunCounts): Pick<RunVerdict, 'status' | 'problem'> {
  if (counts.failed === 0 || counts.failed < counts.mailboxes) return { status: 'succeeded' }
  return {
    status: 'failed',
    problem: { code: 'sync-all-failed', message: 'No mailbox of this run could be brought to its decision' },
  }
}

function lastMoved({ run, counts, requestedAgainAt }: RunFacts): Date {
  const { started_at, discovered_at, looked_up_at } = run
  const moments = [started_at, discovered_at, looked_up_at, counts.lastDecidedAt, counts.lastEnforcedAt, requestedAgainAt]
  return new Date(Math.max(...moments.map((moment) => moment?.getTime() ?? 0)))
}
