import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const FOLDER = resolve(import.meta.dirname, '..', 'powershell-host')
const EXECUTABLE = join(FOLDER, 'bin', 'powershell-host')
const BUILD_MS = 300_000

/**
 * Builds test/powershell-host, the real PowerShell engine, when it has changed, and gives the path of its executable, which
 * takes the arguments of `pwsh`; undefined on a machine without the .NET SDK. Throws with the compiler's output when it does not build.
 */
export async function buildPowerShellHost(): Promise<string | undefined> {
  if (!(await hasDotnet())) return undefined
  try {
    await run('dotnet', ['build', '--nologo', '-v', 'quiet', '-c', 'Release', '-o', join(FOLDER, 'bin')], {
      cwd: FOLDER,
      timeout: BUILD_MS,
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
    throw new Error(`test/powershell-host does not build:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
  if (!existsSync(EXECUTABLE)) throw new Error(`The build of test/powershell-host left no ${EXECUTABLE}`)
  return EXECUTABLE
}

async function hasDotnet(): Promise<boolean> {
  try {
    const { stdout } = await run('dotnet', ['--list-sdks'], { timeout: 30_000 })
    return /^10\./m.test(stdout)
  } catch {
    return false
  }
}
