import { setTimeout as delay } from 'node:timers/promises'
import { formatRows } from '../format-rows.ts'
import type { VerbOptions } from '../program-context.ts'
import { deadLetterFilterOf, type FilterOptions } from './dead-letter-filter-of.ts'
import { formatSelection, type SelectionView } from './format-selection.ts'
import type { QueryContext } from './query-context.ts'

type ReplayView = {
  id: string
  state: 'running' | 'stopped' | 'finished'
  counts: { selected: number; sent: number; returned: number; unaccounted: number }
  problem: { code: string; message: string } | null
}

const POLL_MS = 500

type ReplayOptions = FilterOptions &
  Pick<
    VerbOptions,
    'max' | 'execute' | 'hash' | 'yes' | 'rate' | 'canary' | 'canarySeconds' | 'to' | 'returnedPercent' | 'detach'
  >

/** Shows what a replay would do or, once it is told to, has it done and follows it to its end. */
export async function runReplay(options: ReplayOptions, context: QueryContext): Promise<number> {
  const { max, execute, hash, yes, rate, canary, canarySeconds, to, returnedPercent } = options
  const answer = (await context.control.post('/api/deadLetters/replay', {
    filter: deadLetterFilterOf(options),
    max,
    execute,
    hash,
    yes,
    ratePerSecond: rate,
    canary: canary === undefined ? undefined : { count: canary, seconds: canarySeconds },
    to,
    returnedPercentMax: returnedPercent,
  })) as SelectionView & { replayId?: string }
  if (answer.replayId !== undefined && !options.detach) {
    context.terminal.note(`Replay ${answer.replayId} of ${answer.count} dead letters`)
    return await follow(answer.replayId, context)
  }
  if (context.json) context.terminal.print(JSON.stringify(answer))
  else if (answer.replayId === undefined) context.terminal.print(formatSelection(answer, 'replay'))
  else context.terminal.print(`Replay ${answer.replayId} of ${answer.count} dead letters has begun`)
  return 0
}

export async function runReplays({ top }: { top: number }, context: QueryContext): Promise<number> {
  const page = (await context.control.get('/api/replays', { top })) as { value: Record<string, unknown>[] }
  const columns = ['id', 'state', 'actor', 'startedAt', 'finishedAt', 'counts', 'problem']
  context.terminal.print(context.json ? JSON.stringify(page) : formatRows(page.value, columns))
  return 0
}

export async function runWatch({ replayId }: { replayId: string }, context: QueryContext): Promise<number> {
  return await follow(replayId, context)
}

/** Stops a replay; what it has not sent stays where it is. */
export async function runStop({ replayId }: { replayId: string }, context: QueryContext): Promise<number> {
  const replay = (await context.control.post(`${pathOf(replayId)}/stop`, {})) as ReplayView
  context.terminal.print(context.json ? JSON.stringify(replay) : describe(replay))
  return 0
}

/** Lets a stopped replay go on, and follows it. */
export async function runResume(
  { replayId, skipCanary, detach }: { replayId: string; skipCanary: boolean; detach: boolean },
  context: QueryContext,
): Promise<number> {
  const replay = (await context.control.post(`${pathOf(replayId)}/resume`, { skipCanary })) as ReplayView
  if (!detach) return await follow(replayId, context)
  context.terminal.print(context.json ? JSON.stringify(replay) : describe(replay))
  return 0
}

/** Answers 0 when the replay has sent everything and 1 when it was stopped. */
async function follow(replayId: string, { control, terminal, json, signal }: QueryContext): Promise<number> {
  for (;;) {
    const replay = (await control.get(pathOf(replayId))) as ReplayView
    if (replay.state !== 'running') {
      terminal.print(json ? JSON.stringify(replay) : describe(replay))
      return replay.state === 'finished' ? 0 : 1
    }
    terminal.progress(describe(replay))
    await delay(POLL_MS, undefined, { signal })
  }
}

function describe({ id, state, counts, problem }: ReplayView): string {
  const { sent, selected, returned, unaccounted } = counts
  const gone = unaccounted === 0 ? '' : `, ${unaccounted} gone from the dead queue without a note of this replay`
  const many = returned === 1 ? '1 is' : `${returned} are`
  const dead = returned === 0 ? 'none is dead again' : `${many} dead again (list them with --replay-id ${id})`
  const why = problem === null ? '' : `: ${problem.message} (${problem.code})`
  const next = state === 'stopped' ? `. Go on with \`gatehouse dead-letters resume ${id}\`` : ''
  return `Replay ${id} ${state}: ${sent} of ${selected} sent${gone}, ${dead}${why}${next}`
}

function pathOf(replayId: string): string {
  return `/api/replays/${encodeURIComponent(replayId)}`
}
