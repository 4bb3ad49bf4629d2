import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const FOLDER = resolve(import.meta.dirname, '..', 'powershell-host')
const BIN = join(FOLDER, 'bin')
const NAME = 'powershell-host'
const BUILD_MS = 600_000
const START_MS = 30_000
/** Nobody builds for so long, and no test runs for so long. */
const LEFTOVER_MS = 6 * 3_600_000
const BUILD_PREFIX = 'building-'

/** The modules by their paths, for Import-Module and for the engines that import modules into their runspaces. */
export const POWERSHELL_MODULES = {
  /** Exchange's cmdlets over an organisation in the memory of the process, and the cmdlets of the contract. */
  exchange: join(FOLDER, 'modules', 'Exchange', 'Exchange.psd1'),
  /** The cmdlets of the Exchange simulator that GATEHOUSE_SIMULATOR_URL names. */
  simulatedExchange: join(FOLDER, 'modules', 'SimulatedExchange', 'SimulatedExchange.psd1'),
} as const

/** What PowerShell needs in its environment to be quiet: no colours, no escape sequences, no telemetry, no question after updates. */
export const POWERSHELL_ENVIRONMENT = {
  NO_COLOR: '1',
  TERM: 'dumb',
  POWERSHELL_TELEMETRY_OPTOUT: '1',
  POWERSHELL_UPDATECHECK: 'Off',
} as const

export type PowerShellHere = {
  readonly name: string
  readonly executable: string
  /** Such as 7.6.9. */
  readonly version: string
}

/** Every PowerShell from 7.4 that this machine has: ours, where it can be built, then the one on the PATH. */
export async function describePowerShells(): Promise<PowerShellHere[]> {
  const built = await buildPowerShellHost()
  const found = [
    { where: 'built by test/powershell-host', executable: built },
    { where: 'on the PATH', executable: await findOnPath('pwsh') },
  ]
  const described = await Promise.all(
    found.map(async ({ where, executable }) => {
      const version = executable === undefined ? undefined : await versionOf(executable)
      if (executable === undefined || version === undefined || !isFrom74(version)) return []
      return [{ name: `PowerShell ${version} ${where}`, executable, version }]
    }),
  )
  return described.flat()
}

/**
 * Writes the session configuration for `-ConfigurationFile` when it is not there yet, and gives its path: NoLanguage, as Exchange's
 * endpoint is, with the functions of that module and the few commands that every remoting session must have.
 */
export async function restrictedConfiguration(module: keyof typeof POWERSHELL_MODULES = 'exchange'): Promise<string> {
  const path = join(BIN, `restricted-${module}.pssc`)
  const manifest = await readFile(POWERSHELL_MODULES[module], 'utf8')
  // Each by its name: a pattern would show the cmdlets of PowerShell's own modules as well, as soon as one of them is loaded.
  const functions = /FunctionsToExport\s*=\s*@\(([^)]*)\)/.exec(manifest)?.[1]?.match(/'[\w-]+'/g) ?? []
  const text = `@{
    SchemaVersion    = '2.0.0.0'
    GUID             = 'b1a3f0c4-2f5e-4b0e-8a5e-6f1d0c9e7a42'
    SessionType      = 'RestrictedRemoteServer'
    LanguageMode     = 'NoLanguage'
    ModulesToImport  = '${POWERSHELL_MODULES[module].replaceAll("'", "''")}'
    VisibleFunctions = ${functions.join(', ')}
}
`
  return await writeConfiguration(path, text)
}

/** The same without any restriction: PowerShell as it is, with the module imported. */
export async function fullLanguageConfiguration(module: keyof typeof POWERSHELL_MODULES = 'exchange'): Promise<string> {
  const text = `@{
    SchemaVersion   = '2.0.0.0'
    GUID            = 'a0d6c9a3-2c0e-4f5c-8b0c-3c5b6f0e9d11'
    SessionType     = 'Default'
    LanguageMode    = 'FullLanguage'
    ModulesToImport = '${POWERSHELL_MODULES[module].replaceAll("'", "''")}'
}
`
  return await writeConfiguration(join(BIN, `full-${module}.pssc`), text)
}

async function writeConfiguration(path: string, text: string): Promise<string> {
  if ((await readFile(path, 'utf8').catch(() => '')) === text) return path
  await mkdir(BIN, { recursive: true })
  await writeFile(`${path}.${process.pid}`, text)
  await rename(`${path}.${process.pid}`, path)
  return path
}

/**
 * Builds test/powershell-host, the real PowerShell engine, when it has changed, and gives the path of its executable, which
 * takes the arguments of `pwsh`; undefined on a machine without the .NET SDK or that cannot reach the packages, which is said on
 * standard error. Any number of processes may call it at once. Throws with the compiler's output when it does not build.
 */
export async function buildPowerShellHost(): Promise<string | undefined> {
  const sources = (await readdir(FOLDER)).filter((name) => /\.(cs|csproj)$/.test(name)).toSorted()
  const hash = createHash('sha256')
  for (const name of sources) hash.update(`${name}\0`).update(await readFile(join(FOLDER, name)))
  const version = hash.digest('hex').slice(0, 16)
  const executable = join(BIN, version, NAME)
  if (await isThere(executable)) return executable
  if (!(await hasDotnet())) return undefined
  try {
    await buildVersion(version, sources)
  } catch (error) {
    if (!(error instanceof PackagesUnavailable)) throw error
    process.stderr.write(`${error.message}\n`)
    return undefined
  }
  await pointAt(version)
  return executable
}

/** Builds in a folder of its own and renames it when it is whole, so that nobody ever meets half a build. */
async function buildVersion(version: string, sources: readonly string[]): Promise<void> {
  await mkdir(BIN, { recursive: true })
  await removeLeftovers()
  const folder = await mkdtemp(join(BIN, BUILD_PREFIX))
  try {
    for (const name of sources) await cp(join(FOLDER, name), join(folder, name))
    await runBuild(folder)
    const built = join(folder, 'out')
    if (!(await isThere(join(built, NAME)))) throw new Error(`The build of test/powershell-host left no ${NAME}`)
    await rename(built, join(BIN, version)).catch((error: NodeJS.ErrnoException) => {
      // Another process has built the same.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** NuGet's codes for a source that does not answer, and for a package or version that it does not have. */
const CANNOT_RESTORE = /error (NU1301|NU110[0-3]): .*/

class PackagesUnavailable extends Error {}

async function runBuild(folder: string): Promise<void> {
  try {
    await run('dotnet', ['build', '--nologo', '-v', 'quiet', '-c', 'Release', '-o', 'out'], {
      cwd: folder,
      timeout: BUILD_MS,
      killSignal: 'SIGKILL',
      // The build servers would outlive the tests.
      env: {
        ...process.env,
        DOTNET_CLI_TELEMETRY_OPTOUT: '1',
        DOTNET_NOLOGO: '1',
        MSBUILDDISABLENODEREUSE: '1',
        UseSharedCompilation: 'false',
      },
    })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    const missing = CANNOT_RESTORE.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0]
    if (missing !== undefined) throw new PackagesUnavailable(`test/powershell-host cannot be built here: ${missing}`)
    throw new Error(`test/powershell-host does not build:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
}

/** bin/powershell-host, for whoever starts it by hand. Replaced in one step. */
async function pointAt(version: string): Promise<void> {
  const link = join(BIN, `${BUILD_PREFIX}${process.pid}.link`)
  await rm(link, { force: true })
  await symlink(join(version, NAME), link)
  await rename(link, join(BIN, NAME))
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && (await isThere(path))) return path
  }
  return undefined
}

/** Undefined for what is on the PATH and does not run. */
async function versionOf(executable: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(executable, ['-Version'], {
      timeout: START_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...POWERSHELL_ENVIRONMENT },
    })
    return /^PowerShell (\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}

function isFrom74(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 7 || (major === 7 && minor >= 4)
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(BIN)) {
    const path = join(BIN, name)
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now())
    if ((name.startsWith(BUILD_PREFIX) || /^[0-9a-f]{16}$/.test(name)) && age > LEFTOVER_MS)
      await rm(path, { recursive: true, force: true })
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function hasDotnet(): Promise<boolean> {
  try {
    const { stdout } = await run('dotnet', ['--list-sdks'], { timeout: 30_000 })
    return /^10\./m.test(stdout)
  } catch {
    return false
  }
}
