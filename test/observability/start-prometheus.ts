import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePorts } from '@gatehouse/broker/local'
import { until } from '../environment/until.ts'

export type Series = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }
export type Rule = { readonly name: string; readonly query: string; readonly health: string; readonly state: string }

export type Prometheus = {
  /** The series that an instant query answers. Rejects with what Prometheus says against it. */
  query(expr: string): Promise<readonly Series[]>
  /** Type and help of every metric that was scraped. */
  metadata(): Promise<Readonly<Record<string, readonly { type: string; help: string }[]>>>
  rules(): Promise<readonly Rule[]>
} & AsyncDisposable

export type PrometheusOptions = {
  readonly program: string
  readonly directory: string
  /** The text of a prometheus.yml. */
  readonly config: string
  readonly signal: AbortSignal
}

/** Starts a Prometheus that keeps its data in `directory` and waits until it answers. */
export async function startPrometheus({ program, directory, config, signal }: PrometheusOptions): Promise<Prometheus> {
  const [port] = await findFreePorts(1)
  const file = join(directory, 'prometheus.yml')
  await writeFile(file, config)
  const child = spawn(
    program,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve()).once('error', () => resolve())
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await exited
  }
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus has ended:\n${said}`)
      return await fetch(`http://127.0.0.1:${port}/-/ready`, { signal }).then(
        ({ ok }) => ok,
        () => false,
      )
    })
  } catch (error) {
    await stop()
    throw error
  }
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, { headers: { connection: 'close' }, signal })
    const body = (await answer.json()) as { status: string; data: unknown; error?: string }
    if (body.status !== 'success') throw new Error(`Prometheus refuses ${decodeURIComponent(path)}: ${body.error ?? ''}`)
    return body.data
  }
  return {
    query: async (expr) => ((await ask(`query?query=${encodeURIComponent(expr)}`)) as { result: Series[] }).result,
    metadata: async () => (await ask('metadata')) as Record<string, { type: string; help: string }[]>,
    rules: async () => ((await ask('rules')) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
    [Symbol.asyncDispose]: stop,
  }
}
