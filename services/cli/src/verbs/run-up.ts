import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseUrlOf } from '@gatehouse/worker'
import { ADDRESS_FILE } from '../find-control.ts'
import { loadSettingsOfUp } from '../load-settings-of-up.ts'
import type { WorkerName } from '../processes/start-worker-process.ts'
import { superviseWorkers } from '../processes/supervise-workers.ts'
import { applyTopologyOf } from '../system/apply-topology-of.ts'
import { migrateStore } from '../system/migrate-store.ts'
import { prepareParts } from '../system/prepare-parts.ts'
import { startParts } from '../system/start-parts.ts'
import type { Terminal } from '../terminal.ts'

export type UpOptions = { config: string; copies: Partial<Record<WorkerName, number>>; stateDirectory: string; json: boolean }

/**
 * Runs every worker against the endpoints that the settings name, on this machine, until a signal comes. A broker or a
 * database that neither the settings nor the environment name is started here, with its files in the state directory.
 */
export async function runUp(
  options: UpOptions,
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const { terminal, signal } = context
  const log = (line: string): void => terminal.note(line)
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o711 })
  await using stack = new AsyncDisposableStack()
  // Everything is checked before anything is started.
  const { settings, need } = await loadSettingsOfUp({ path: options.config, env: context.env })
  const directory = options.stateDirectory
  const parts = stack.use(await startParts({ directory, env: context.env, need, isolated: false, durable: true, log }, signal))
  const env = await prepareParts({ parts, env: context.env, secretsDirectory: join(directory, 'secrets'), log }, signal)
  // A broker of the administrator's whose management API is not named is prepared by `gatehouse topology apply`.
  if (!need.database) await migrateStore(databaseUrlOf(settings))
  if (!need.broker && settings.broker.managementUrl !== undefined) await applyTopologyOf(settings, signal)
  await ensureToken(settings.control.tokenFile, log)

  const workers = stack.use(
    await superviseWorkers(
      {
        settingsPath: options.config,
        env,
        copies: options.copies,
        log: 'inherit',
        onEvent: (event) => log(`${event.worker}: ${event.kind}${event.detail === undefined ? '' : ` (${event.detail})`}`),
      },
      signal,
    ),
  )
  const addressFile = join(options.stateDirectory, ADDRESS_FILE)
  const url = String(workers.ready('control')?.url ?? '')
  await writeFile(addressFile, JSON.stringify({ url, tokenFile: settings.control.tokenFile }), { mode: 0o600 })
  stack.defer(() => rm(addressFile, { force: true }))
  const processes = Object.fromEntries([...workers.running].map(([name, one]) => [name, one.pid]))
  if (options.json) terminal.print(JSON.stringify({ ready: true, url, tokenFile: settings.control.tokenFile, processes }))
  else log(`Gatehouse is up: ${url} (token in ${settings.control.tokenFile}). Ctrl-C stops it`)
  if (!signal.aborted) await once(signal, 'abort')
  log('Stopping: work in hand is finished first')
  return 0
}

async function ensureToken(path: string, log: (line: string) => void): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (exists) return
  await writeFile(path, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  log(`A new API token was written to ${path}`)
}
