import { setTimeout as delay } from 'node:timers/promises'
import { DEAD_LETTER_SOURCES } from '@gatehouse/broker'
import { endReplay, insertDeadLetterAction, noteReplayProgress, type ProblemJson, type Row } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { planReplayStep, type ReplayStep } from './plan-replay-step.ts'
import { ReplayPace } from './replay-pace.ts'
import { ReplayOptions } from './replay-request.ts'
import { type ReplayRun, type SendEnd, sendLetters } from './send-letters.ts'
import { surveyReplay } from './survey-replay.ts'

const RETRY_MS = 1_000

type Progress = {
  isCanaryPassed: boolean
  sentAt: number | undefined
  missingSince: number | undefined
  idleRounds: number
}

/**
 * Carries a replay out, from wherever it stands: what is to be sent is counted in the dead queues, so a copy of control that
 * goes on after another one's death sends the rest. Returns when it is finished or stopped; rejects when the signal ends it.
 */
export async function runReplay(replay: Row<'replays'>, deps: DeadLetterDeps, signal: AbortSignal): Promise<void> {
  const run = toRun(replay)
  const isCanaryPassed = replay.canary_passed_at !== null
  const progress: Progress = { isCanaryPassed, sentAt: undefined, missingSince: undefined, idleRounds: 0 }
  for (let round = 1; ; round++) {
    signal.throwIfAborted()
    const { remaining, returned, holders } =
      round === 1 && isUntouched(run) ? allOf(run) : await surveyReplay(run, deps, signal)
    const { selected, sent } = run.counts
    run.counts = { selected, sent, returned, unaccounted: Math.max(0, selected - sent - remaining) }
    if (!(await noteReplayProgress(deps.db, run.id, { counts: run.counts }))) return
    const step = planStep(run, progress, { remaining, holders })
    switch (step.kind) {
      case 'watch':
        // What is watched after a crash is watched from now on.
        progress.sentAt ??= performance.now()
        await delay(step.ms, undefined, { signal })
        break
      case 'pass-canary':
        progress.isCanaryPassed = true
        await noteReplayProgress(deps.db, run.id, { counts: run.counts, canaryPassedAt: deps.now() })
        break
      case 'send':
        if (await send(run, { most: step.most, progress }, deps, signal)) return
        break
      case 'stop':
        return await end(run, { state: 'stopped', problem: step.problem }, deps)
      case 'finish':
        return await end(run, { state: 'finished' }, deps)
      default: {
        const never: never = step
        return never
      }
    }
  }
}

/**
 * Nobody has noted that a letter was sent, so there is no need to count before the first one is. Canaries are counted all the
 * same: a copy that died at once may have sent some.
 */
function isUntouched({ counts, options }: ReplayRun): boolean {
  return counts.sent === 0 && options.canary === undefined
}

function allOf({ counts }: ReplayRun): Awaited<ReturnType<typeof surveyReplay>> {
  return { remaining: counts.selected, returned: 0, holders: 0 }
}

function planStep(
  { options, counts }: ReplayRun,
  progress: Progress,
  { remaining, holders }: { remaining: number; holders: number },
): ReplayStep {
  const now = performance.now()
  progress.missingSince = remaining === 0 && counts.unaccounted > 0 ? (progress.missingSince ?? now) : undefined
  const { isCanaryPassed, sentAt, missingSince, idleRounds } = progress
  const quietMs = sentAt === undefined ? undefined : now - sentAt
  const missingMs = now - (missingSince ?? now)
  return planReplayStep({ options, counts, remaining, isCanaryPassed, quietMs, missingMs, holders, idleRounds })
}

function toRun(replay: Row<'replays'>): ReplayRun {
  const sources = DEAD_LETTER_SOURCES.filter((source) => replay.selection[source] !== undefined)
  const options = ReplayOptions.parse(replay.options)
  return {
    id: replay.id,
    keys: new Map(sources.map((source) => [source, new Set(replay.selection[source])])),
    options,
    pace: new ReplayPace(options.ratePerSecond),
    counts: replay.counts,
    queues: new Set(),
  }
}

/** @returns true when the replay has ended with it. */
async function send(
  run: ReplayRun,
  { most, progress }: { most: number; progress: Progress },
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const sent: SendEnd = await sendLetters(run, most, deps, signal)
  progress.sentAt = performance.now()
  if (sent.kind === 'stopped') return true
  if (sent.kind === 'problem') {
    await end(run, { state: 'stopped', problem: sent.problem }, deps)
    return true
  }
  if (sent.kind === 'through' && sent.sent > 0) {
    progress.idleRounds = 0
    return false
  }
  if (sent.kind === 'interrupted') deps.log.warn({ err: sent.error, replayId: run.id }, 'A replay was interrupted; it goes on')
  else progress.idleRounds += 1
  await delay(RETRY_MS, undefined, { signal })
  return false
}

async function end(
  run: ReplayRun,
  result: { state: 'stopped' | 'finished'; problem?: ProblemJson },
  deps: DeadLetterDeps,
): Promise<void> {
  const at = deps.now()
  const { state, problem } = result
  const { counts } = run
  const hasEnded = await deps.db.transaction().execute(async (transaction) => {
    if (!(await endReplay(transaction, run.id, { state, problem, counts, at }))) return false
    await insertDeadLetterAction(transaction, {
      action: 'replay-end',
      services: [...run.keys.keys()],
      actor: 'gatehouse',
      detail: { replayId: run.id, state, counts, problem: problem ?? null },
      at,
    })
    return true
  })
  if (hasEnded) deps.log.info({ replayId: run.id, status: state, counts, problem }, 'A replay has ended')
}
