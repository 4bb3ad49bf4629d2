import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PermanentError } from '@gatehouse/messages'

/** A PowerShell of this machine and the module whose cmdlets are those of the Exchange simulator. */
export type LocalPowerShell = { readonly executable: string; readonly module: string }

const BUILD_MS = 10 * 60_000

/**
 * The PowerShell for a demo with the host engine: the one named, or that of test/powershell-host, which is built first. Throws
 * PermanentError('powershell-not-found') where there is neither.
 */
export async function findPowerShellHost(
  { executable, env }: { executable: string | undefined; env: Record<string, string | undefined> },
  signal: AbortSignal,
): Promise<LocalPowerShell> {
  const script = fileURLToPath(new URL('../../../../test/environment/print-powershell-host.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env, signal, timeout: BUILD_MS })
  const built = JSON.parse(stdout) as Partial<LocalPowerShell>
  const found = executable ?? built.executable
  if (found !== undefined && built.module !== undefined) return { executable: found, module: built.module }
  throw new PermanentError(
    'powershell-not-found',
    'The demo with the host engine needs a PowerShell 7: name one with --executable, or install the .NET SDK 10 to have it built',
  )
}
