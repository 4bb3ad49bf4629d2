import { execFile } from 'node:child_process'

export type Ended = { code: number; out: string; err: string }

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** Runs a program to its end, however it ends. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { env: Record<string, string | undefined>; timeoutMs: number; cwd?: string },
): Promise<Ended> {
  return new Promise((resolve) => {
    const { env, timeoutMs: timeout, cwd } = options
    const settings = {
      env: env as NodeJS.ProcessEnv,
      timeout,
      maxBuffer: OUTPUT_BYTES_MAX,
      ...(cwd === undefined ? {} : { cwd }),
    }
    execFile(program, [...args], settings, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, out, err: error?.killed === true ? `${err}\nnot ended within ${timeout} ms` : err })
    })
  })
}
