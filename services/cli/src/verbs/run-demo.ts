import { once } from 'node:events'
import type { WorkerName } from '../processes/start-worker-process.ts'
import { formatSummary } from '../system/format-summary.ts'
import { runMeasuredSync } from '../system/run-measured-sync.ts'
import { type System, type SystemView, startSystem } from '../system/start-system.ts'
import { type DemoSummary, readFirstSyncFigures, summarizeSystem } from '../system/summarize-system.ts'
import type { Terminal } from '../terminal.ts'

export type DemoOptions = {
  devices: number
  latencyMs: number
  seed: number
  runspaces: number
  copies: Partial<Record<WorkerName, number>>
  faultsFile: string | undefined
  engine: 'remoting' | 'host' | undefined
  executable: string | undefined
  exit: boolean
  json: boolean
}

const SYNC_TIMEOUT_MS = 20 * 60_000

/**
 * The whole system on one machine against simulated Exchange and Microsoft: a first sync, a second that must find nothing
 * to do, a summary. Answers the exit code: 1 when a device is in a wrong state, a mail went out twice or a message died.
 */
export async function runDemo(
  options: DemoOptions,
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const { terminal, signal } = context
  await using system = await startSystem(
    {
      ...options,
      reportOnly: true,
      env: context.env,
      log: (line) => terminal.note(line),
      onWorkerEvent: (event) =>
        terminal.note(`${event.worker}: ${event.kind}${event.detail === undefined ? '' : ` (${event.detail})`}`),
    },
    signal,
  )
  await switchReportOnlyOff(system, terminal)
  const summary = await syncTwice(system, options, context)
  if (options.json) terminal.print(JSON.stringify(summary))
  else terminal.print(formatSummary(summary))
  if (!options.exit && !signal.aborted) {
    terminal.note(
      `API: ${system.control.url} (token in ${system.directory}/secrets/api-token); settings: ${system.settingsPath}`,
    )
    terminal.note('Everything stays up until Ctrl-C')
    await once(signal, 'abort')
  }
  return isRight(summary) ? 0 : 1
}

/** Two syncs of one system, the second of which must find nothing to do. */
export async function syncTwice(
  system: SystemView,
  options: Pick<DemoOptions, 'runspaces' | 'latencyMs' | 'seed'>,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<DemoSummary> {
  terminal.note(
    'Full sync, with the brake confirmed in advance: a first run against unknown phones blocks more than 5 % of them',
  )
  const onProgress = (run: { counts: Record<string, number> }): void => terminal.progress(progressLine(run.counts))
  const first = await runMeasuredSync(
    system,
    { syncType: 'fullSync', confirmed: true, timeoutMs: SYNC_TIMEOUT_MS, onProgress },
    signal,
  )
  const firstFigures = await readFirstSyncFigures(system)
  terminal.note(`First sync: ${first.run.status}, ${first.writes} writes in ${first.seconds.toFixed(2)} s; now a second one`)
  const second = await runMeasuredSync(
    system,
    { syncType: 'fullSync', confirmed: false, timeoutMs: SYNC_TIMEOUT_MS, onProgress },
    signal,
  )
  return await summarizeSystem(system, { ...options, first, firstFigures, second })
}

async function switchReportOnlyOff(system: System, terminal: Terminal): Promise<void> {
  const { value } = (await system.control.get('/api/organizations')) as {
    value: { id: string; name: string; reportOnly: boolean }[]
  }
  for (const organization of value) {
    await system.control.post(`/api/organizations/${organization.id}/reportOnly`, { reportOnly: false })
    terminal.note(
      `Report-only mode of ${organization.name} was on, as for every new organisation; this demo switches it OFF: it writes and mails`,
    )
  }
}

function progressLine(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(' · ')
}

/** Whether every device is in its state, nobody was mailed twice, no message died and the second sync wrote nothing. */
export function isRight(summary: DemoSummary): boolean {
  return summary.wrong === 0 && summary.mailsTwice === 0 && summary.deadLetters === 0 && summary.secondSync.writes === 0
}
