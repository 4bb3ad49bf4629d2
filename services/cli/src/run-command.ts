import { exitCodeOf, explainFailure, maskSecrets } from '@gatehouse/worker'
import { CommanderError } from 'commander'
import { createAsk } from './create-ask.ts'
import { createProgram } from './create-program.ts'

/** Carries out what the arguments of the process say and sets its exit code. The first signal stops gently, the second at once. */
export async function runCommand(process: NodeJS.Process): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1)
      stop.abort(new Error(`Stopped by ${signal}`))
    })
  }
  const program = createProgram({
    env: process.env,
    cwd: process.cwd(),
    streams: { out: process.stdout, err: process.stderr },
    ask: createAsk(process, stop.signal),
    signal: stop.signal,
    onExitCode: (code) => {
      process.exitCode = code
    },
  })
  // A verb that waits for a signal alone would not keep the process.
  const keep = setInterval(() => {}, 2 ** 30)
  try {
    await program.parseAsync(process.argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
    else {
      process.stderr.write(`gatehouse: ${maskSecrets(describe(error))}\n`)
      process.exitCode = exitCodeOf(error)
    }
  } finally {
    clearInterval(keep)
  }
}

/** Only a defect has a stack that somebody can use. */
function describe(error: unknown): string {
  return explainFailure(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error))
}
