import { once } from 'node:events'
import type { Terminal } from '../terminal.ts'

export type SimulateOptions = {
  what: 'exchange' | 'microsoft' | 'all'
  port: number
  devices: number
  latencyMs: number
  seed: number
  faultsFile: string | undefined
  host: string
  microsoftPort: number
  tls: { keyFile: string; certificateFile: string } | undefined
  json: boolean
}

/** For a program that asks with `--json`; a log keeps none. */
const SECRETS: ReadonlySet<string> = new Set(['password', 'notificationPassword', 'clientSecret'])

/** Serves the simulators until a signal comes. They are part of a checkout, not of an installation. */
export async function runSimulate(
  options: SimulateOptions,
  context: { terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const { serveSimulators } = await import('@gatehouse/simulators')
  const served = await serveSimulators(options)
  if (options.json) context.terminal.print(JSON.stringify({ ready: true, ...served.ready }))
  else
    for (const [name, value] of Object.entries(served.ready))
      if (!SECRETS.has(name)) context.terminal.print(`${name}: ${JSON.stringify(value)}`)
  if (!context.signal.aborted) await once(context.signal, 'abort')
  await served.stop()
  return 0
}
