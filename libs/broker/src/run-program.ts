import { spawn } from 'node:child_process'

export type ProgramResult = { readonly code: number | null; readonly output: string }
export type RunProgram = (
  program: string,
  args: readonly string[],
  o: { signal: AbortSignal; timeoutMs: number; env?: Record<string, string> },
) => Promise<ProgramResult>

const OUTPUT_CHARACTERS_MAX = 64_000

/** Runs a program to its end and gives back its exit code and what it printed. A program that cannot start has code null. */
export const runProgram: RunProgram = (program, args, { signal, timeoutMs, env }) =>
  new Promise((resolve, reject) => {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: bound,
      ...(env === undefined ? {} : { env }),
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', (error) => {
      if (signal.aborted) reject(signal.reason)
      else resolve({ code: null, output: `${output}${error.message}` })
    })
    child.once('close', (code) => resolve({ code, output }))
  })
