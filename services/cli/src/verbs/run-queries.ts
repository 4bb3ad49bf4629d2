import { formatRows } from '../format-rows.ts'
import { type SyncRunView, watchSyncRun } from '../system/watch-sync-run.ts'
import { printable } from '../terminal.ts'
import type { QueryContext } from './query-context.ts'

export type Page = { value: Record<string, unknown>[] }

/** Starts a sync of every organisation, or of one; with `watch` follows it to its end. Answers 1 when a run failed or is held. */
export async function runSync(
  options: { kind: 'quick' | 'full'; organization: string | undefined; watch: boolean; confirmed: boolean; timeoutMs: number },
  context: QueryContext,
): Promise<number> {
  const { value } = (await context.control.post('/api/syncs', {
    syncType: options.kind === 'full' ? 'fullSync' : 'deltaSync',
    confirmed: options.confirmed,
    ...(options.organization === undefined ? {} : { organization: options.organization }),
  })) as { value: { syncRunId: string }[] }
  if (!options.watch) {
    context.terminal.print(context.json ? JSON.stringify({ value }) : value.map((run) => `Started ${run.syncRunId}`).join('\n'))
    return 0
  }
  const onProgress = (run: SyncRunView): void => context.terminal.progress(`${run.status} ${JSON.stringify(run.counts)}`)
  const runs = await Promise.all(
    value.map((run) =>
      watchSyncRun(context.control, run.syncRunId, { timeoutMs: options.timeoutMs, onProgress }, context.signal),
    ),
  )
  context.terminal.print(context.json ? JSON.stringify({ value: runs }) : runs.map(describeRun).join('\n'))
  return runs.every((run) => run.status === 'succeeded') ? 0 : 1
}

function describeRun(run: SyncRunView): string {
  if (run.status === 'held')
    return `${run.id} is held by the brake: it would block ${run.wouldBlock} devices, the limit is ${run.brakeLimit}. Look at them with \`gatehouse devices\`, then confirm the run or change the policy`
  return `${run.id} ${run.status} ${JSON.stringify(run.counts)}${run.problem === null ? '' : `: ${run.problem.message}`}`
}

/** Confirms a run that the brake holds. */
export async function runConfirm(options: { syncRunId: string }, context: QueryContext): Promise<number> {
  const run = await context.control.post(`/api/syncRuns/${encodeURIComponent(options.syncRunId)}/confirm`, {})
  context.terminal.print(context.json ? JSON.stringify(run) : `Confirmed ${options.syncRunId}`)
  return 0
}

/** The devices with their state in Exchange and the decision. */
export async function runDevices(
  options: { search: string | undefined; state: string | undefined; top: number; skip: number },
  context: QueryContext,
): Promise<number> {
  const page = (await context.control.get('/api/devices', {
    search: options.search,
    exchangeAccessState: options.state,
    top: options.top,
    skip: options.skip,
  })) as Page
  const columns = ['id', 'deviceId', 'primarySmtpAddress', 'deviceModel', 'exchangeAccessState', 'access', 'reason']
  context.terminal.print(context.json ? JSON.stringify(page) : formatRows(page.value, columns))
  return 0
}

/** The whole story of the decision about a device, or about every device of a mailbox. */
export async function runWhy(options: { subject: string }, context: QueryContext): Promise<number> {
  const found = (await context.control.get('/api/devices', { search: options.subject, top: 20 })) as Page
  const exact = found.value.filter((device) =>
    [device.id, device.deviceId, device.mailboxId, device.primarySmtpAddress].some((one) => sameText(one, options.subject)),
  )
  const devices = exact.length > 0 ? exact : found.value
  if (devices.length === 0) {
    context.terminal.note(`No device or mailbox is known as ${options.subject}`)
    return 1
  }
  const stories = await Promise.all(
    devices.map(
      (device) =>
        context.control.get(`/api/devices/${encodeURIComponent(String(device.id))}/why`) as Promise<{ story: string[] }>,
    ),
  )
  if (context.json) context.terminal.print(JSON.stringify({ value: stories }))
  else for (const { story } of stories) context.terminal.print(`${story.map(printable).join('\n')}\n`)
  return 0
}

function sameText(value: unknown, subject: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === subject.trim().toLowerCase()
}
