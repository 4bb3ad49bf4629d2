import { setTimeout as delay } from 'node:timers/promises'
import { type DeadLetter, type LetterVerdict, planReplay, visitDeadLetters } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { noteReplayProgress, type ProblemJson, type ReplayCounts } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { findReplayObstacle } from './find-replay-obstacle.ts'
import type { ReplayPace } from './replay-pace.ts'
import { type ReplayOptions, targetOf } from './replay-request.ts'
import { isToBeSent, type ReplayKeys, surveyReplay } from './survey-replay.ts'

/** One replay as the copy of control that carries it out sees it. `counts` and `queues` change while it sends. */
export type ReplayRun = {
  readonly id: string
  readonly keys: ReplayKeys
  readonly options: ReplayOptions
  readonly pace: ReplayPace
  counts: ReplayCounts
  /** Where letters have been sent to so far. */
  readonly queues: Set<string>
}

/** `stopped`: a person has stopped the replay. `interrupted`: try again, nothing is lost. */
export type SendEnd =
  | { readonly kind: 'through'; readonly sent: number }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'interrupted'; readonly error: unknown }
  | { readonly kind: 'problem'; readonly problem: ProblemJson }

/** Publications under way at once; more gain nothing and make what a crash repeats more. */
const IN_FLIGHT_MAX = 300
const BEAT_MS = 250
/** What is dead again is counted this often, for a tenth of the time at most, and at least once a minute. */
const SURVEY_MS = 5_000
const SURVEY_DUTY = 10
const SURVEY_PAUSE_MS_MAX = 60_000
/** RabbitMQ closes the channel of a consumer that holds a message for 30 minutes; a slow replay begins a new walk before that. */
const WALK_MS_MAX = 10 * 60_000

/**
 * Sends at most `most` letters of the replay, each published, confirmed and not returned before it is acknowledged in its dead
 * queue: a crash in between sends it twice, with the same id, and never loses it. Looks four times a second whether it may go on.
 */
export async function sendLetters(run: ReplayRun, most: number, deps: DeadLetterDeps, signal: AbortSignal): Promise<SendEnd> {
  const sentBefore = run.counts.sent
  const stop = new AbortController()
  const abandon = new AbortController()
  const sending = { run, budget: { left: most }, stop: AbortSignal.any([signal, stop.signal]), abandon: abandon.signal, deps }
  const watching = watch(run, { stop, abandon, deps }, signal)
  const windowMax = Math.min(IN_FLIGHT_MAX, Math.max(1, Math.ceil(run.options.ratePerSecond ?? IN_FLIGHT_MAX)))
  let failure: unknown
  try {
    for (const source of run.keys.keys()) {
      if (sending.budget.left <= 0 || stop.signal.aborted) break
      await visitDeadLetters(deps.broker, { source, windowMax, visit: (letter) => visitLetter(letter, sending) }, signal)
    }
  } catch (error) {
    failure = error
  }
  stop.abort()
  const end = await watching
  abandon.abort()
  // For whoever goes on, if it is not this copy.
  await noteReplayProgress(deps.db, run.id, { counts: run.counts }).catch(() => {})
  signal.throwIfAborted()
  if (end !== undefined) return end
  if (failure instanceof PermanentError) return { kind: 'problem', problem: { code: failure.code, message: failure.message } }
  if (failure !== undefined) return { kind: 'interrupted', error: failure }
  return { kind: 'through', sent: run.counts.sent - sentBefore }
}

type Sending = {
  readonly run: ReplayRun
  readonly budget: { left: number }
  /** No more letters are to be sent. */
  readonly stop: AbortSignal
  /** What is on its way is not waited for any longer. */
  readonly abandon: AbortSignal
  readonly deps: DeadLetterDeps
}

function visitLetter(letter: DeadLetter, sending: Sending): LetterVerdict | Promise<LetterVerdict> {
  const { run, budget, stop } = sending
  if (stop.aborted || budget.left <= 0) return 'stop'
  if (!isToBeSent(letter, run)) return 'leave'
  budget.left -= 1
  return send(letter, sending)
}

async function send(letter: DeadLetter, { run, stop, abandon, deps }: Sending): Promise<LetterVerdict> {
  const plan = planReplay(letter, { replayId: run.id, to: targetOf(run.options.to) })
  // The selection holds what could be sent then; a build that has been changed since may refuse it.
  if (plan.kind === 'refused') {
    deps.log.warn({ replayId: run.id, messageId: letter.key, code: plan.code, reason: plan.why }, 'A letter is not sent')
    return 'leave'
  }
  // Rejects only when it is stopped meanwhile.
  await run.pace.turn(stop).catch(() => {})
  if (stop.aborted) return 'leave'
  for (const queue of plan.queues) run.queues.add(queue)
  await deps.broker.publishRaw(plan.publication, abandon)
  run.counts = { ...run.counts, sent: run.counts.sent + 1 }
  return 'take'
}

/** Looks, until `stop`, whether the replay may go on; stops the sending when it may not. */
async function watch(
  run: ReplayRun,
  { stop, abandon, deps }: { stop: AbortController; abandon: AbortController; deps: DeadLetterDeps },
  signal: AbortSignal,
): Promise<SendEnd | undefined> {
  const either = AbortSignal.any([signal, stop.signal])
  const began = performance.now()
  let surveyAt = began + SURVEY_MS
  for (;;) {
    await delay(BEAT_MS, undefined, { signal: either }).catch(() => {})
    if (either.aborted) return undefined
    try {
      const end = await lookOnce(run, deps, either)
      if (end !== undefined || performance.now() - began > WALK_MS_MAX) {
        stop.abort()
        // A broker that is short of memory confirms nothing, perhaps for hours.
        if (end?.kind === 'problem' && end.problem.code === 'broker-blocked') abandon.abort(new Error(end.problem.message))
        return end
      }
      if (performance.now() < surveyAt) continue
      const surveyBegan = performance.now()
      const { returned } = await surveyReplay(run, deps, either)
      run.counts = { ...run.counts, returned }
      const tookMs = performance.now() - surveyBegan
      surveyAt = performance.now() + Math.min(Math.max(SURVEY_MS, tookMs * SURVEY_DUTY), SURVEY_PAUSE_MS_MAX)
      // Whether that is too many is judged between two walks, with everything that is known then.
      if (returned > 0) stop.abort()
    } catch (error) {
      if (!either.aborted)
        deps.log.warn({ err: error, replayId: run.id }, 'A replay could not be watched; it is looked at again')
    }
  }
}

async function lookOnce(run: ReplayRun, deps: DeadLetterDeps, signal: AbortSignal): Promise<SendEnd | undefined> {
  if (!(await noteReplayProgress(deps.db, run.id, { counts: run.counts }))) return { kind: 'stopped' }
  const problem = await findReplayObstacle(run.queues, deps, signal)
  return problem === undefined ? undefined : { kind: 'problem', problem }
}
