#!/usr/bin/env node
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { CommanderError } from 'commander'
import { createProgram } from './create-program.ts'
import { exitCodeOf } from './exit-code-of.ts'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks everything to finish; the second does not wait for it.
    if (stop.signal.aborted) process.exit(1)
    stop.abort(new Error(`Stopped by ${signal}`))
  })
}

const program = createProgram({
  env: process.env,
  cwd: process.cwd(),
  streams: { out: process.stdout, err: process.stderr },
  signal: stop.signal,
  onExitCode: (code) => {
    process.exitCode = code
  },
})

try {
  await program.parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    if (error instanceof PermanentError || error instanceof RetryableError)
      process.stderr.write(`gatehouse: ${error.message}\n`)
    else process.stderr.write(`gatehouse: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}
