import { spawn } from 'node:child_process'

export type Step = {
  readonly name: string
  /** Resolves to what is wrong, or to an empty text. */
  readonly run: () => Promise<string>
}

export type StepResult = { readonly name: string; readonly problem: string; readonly seconds: number }

/** Runs steps with at most `atOnce` under way, to the end of all of them whatever fails; `onDone` tells of each as it ends. */
export async function runSteps(
  steps: readonly Step[],
  options: { atOnce: number; onDone: (result: StepResult) => void },
): Promise<StepResult[]> {
  const waiting = [...steps]
  const results: StepResult[] = []
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const started = performance.now()
      const problem = await step.run().catch((error: unknown) => String(error))
      const result = { name: step.name, problem, seconds: (performance.now() - started) / 1000 }
      results.push(result)
      options.onDone(result)
    }
  }
  await Promise.all(Array.from({ length: options.atOnce }, work))
  return results
}

/** A step that is a program: its output is the problem when it fails, or takes too long. */
export function programStep(
  name: string,
  args: readonly string[],
  options: {
    cwd: string
    timeoutMs: number
    env?: Record<string, string | undefined>
    program?: string
    judge?: (output: string, code: number) => string
  },
): Step {
  return {
    name,
    run: () => {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const child = spawn(options.program ?? process.execPath, args, {
        cwd: options.cwd,
        env: { ...process.env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
      })
      const judge = options.judge ?? ((text, code) => (code === 0 ? '' : text.trim() || `Exit code ${code}`))
      let output = ''
      const collect = (chunk: Buffer): void => {
        output += chunk.toString()
      }
      child.stdout.on('data', collect)
      child.stderr.on('data', collect)
      child.once('error', reject).once('close', (code, signal) => {
        if (signal !== null) resolve(`${output}\nEnded by ${signal} (at most ${options.timeoutMs / 1000} s)`)
        else resolve(judge(output, code ?? 1))
      })
      return promise
    },
  }
}
