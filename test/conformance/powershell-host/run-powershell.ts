import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { POWERSHELL_ENVIRONMENT } from '../../environment/powershell-host.ts'

const run = promisify(execFile)
const RUN_MS = 45_000

/** What the last expression of the script is, by way of JSON. Throws with everything it wrote when it does not end well. */
export async function runPowerShell(
  executable: string,
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const text = `$ErrorActionPreference = 'Stop'; & { ${script} } | ConvertTo-Json -Depth 6 -AsArray -Compress`
  const { stdout } = await run(executable, ['-NoLogo', '-NoProfile', '-NonInteractive', '-Command', text], {
    timeout: RUN_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 24,
    env: { ...process.env, ...POWERSHELL_ENVIRONMENT, ...environment },
  })
  return JSON.parse(stdout === '' ? '[]' : stdout)
}
