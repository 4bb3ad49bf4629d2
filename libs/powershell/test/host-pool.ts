import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHostEngine, type HostEngineOptions } from '../src/host/create-host-engine.ts'
import { basicEnvironment, type RunspacePool } from '../src/index.ts'
import { cleanUp, signal } from './open-pool.ts'

/** What the fake does for the parts of the protocol that a test does not care about. */
const FAKE = `
const send = (message) => process.stdout.write('\\n' + JSON.stringify(message) + '\\n')
const clixml = (xml) => Buffer.from(xml).toString('base64')
const output = (id, xml) => send({ op: 'output', id, data: clixml(xml) })
const end = (id, more) => send({ op: 'end', id, state: 'completed', prompted: false, tooLarge: false, dropped: 0, ...more })
const note = (text) => require('node:fs').appendFileSync(process.env.NOTES, text + '\\n')
const answers = {
  script: () => send({ op: 'hello', pid: process.pid, group: false, version: '7.6.9' }),
  open: () => send({ op: 'opened' }),
  run: ({ id }) => end(id),
  stop: ({ id }) => end(id, { state: 'stopped' }),
  ping: () => send({ op: 'pong', bytes: 1 }),
  close: () => process.exit(0),
}
`
const FAKE_READS = `
note('start ' + process.pid)
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const message = line.startsWith('{') ? JSON.parse(line) : { op: 'script' }
  if (message.op !== 'ping') note(message.op + (message.id === undefined ? '' : ' ' + message.name))
  answers[message.op](message)
}).on('close', () => process.exit(0))
`

/** A folder that is removed after the test. */
export async function createHostFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-host-'))
  cleanUp.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) })
  return folder
}

/**
 * A program that stands for PowerShell with the host script in it. `behaviour` is JavaScript that replaces some of `answers`;
 * what it was asked is in the file `notes`, one request a line.
 */
export async function createFakePowerShell(behaviour: string): Promise<{ executable: string; notes: string }> {
  const folder = await createHostFolder()
  const executable = join(folder, 'fake.cjs')
  await writeFile(executable, `#!${process.execPath}\n${FAKE}\n${behaviour}\n${FAKE_READS}`, { mode: 0o755 })
  return { executable, notes: join(folder, 'notes') }
}

export type HostPoolOptions = Omit<HostEngineOptions, 'environment'> & {
  readonly runspaces?: number
  readonly environment?: Record<string, string>
}

export async function openHostPool({ runspaces = 1, environment, ...rest }: HostPoolOptions): Promise<RunspacePool> {
  const engine = createHostEngine({ ...rest, environment: { ...basicEnvironment(process.env), ...environment } })
  cleanUp.push(engine)
  return await engine.open({ runspaces, signal })
}

export async function openFakePool(
  behaviour: string,
  options: Omit<HostPoolOptions, 'executable'> = {},
): Promise<RunspacePool & { readonly notes: string }> {
  const { executable, notes } = await createFakePowerShell(behaviour)
  const pool = await openHostPool({ ...options, executable, environment: { NOTES: notes, ...options.environment } })
  return Object.assign(pool, { notes })
}

/** True while a process of that id is there and has not ended; one that only waits for its parent to ask after it has. */
export function isThere(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${processId}/stat`, 'utf8'))
  } catch (error) {
    // There is no /proc, or no such process.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc/self')
  }
}
