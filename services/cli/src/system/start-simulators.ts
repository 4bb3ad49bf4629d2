import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Dispatcher, request } from 'undici'
import { startProcess } from '../processes/start-worker-process.ts'

const STATE_MS = 60_000

export type SimulatorsReady = {
  url: string
  ewsUrl: string
  user: string
  password: string
  authority: string
  endpoint: string
  tenantId: string
  clientId: string
  clientSecret: string
  policy: { includedGroups: string[]; excludedGroups: string[] }
  devices: number
  mailboxes: number
  seed: number
}

export type SimulatorsOptions = {
  readonly devices: number
  readonly latencyMs: number
  readonly seed: number
  readonly faultsFile: string | undefined
  readonly env: Record<string, string | undefined>
  readonly log: number | 'inherit'
}

/** The part of the simulated Exchange's state that is read here. */
export type ExchangeState = {
  cmdlets: Record<string, number>
  refusals: Record<string, number>
  mostShells: number
  duplicateAdds: number
  writesLeast: number
  mailCount: number
  mailsTwice: unknown[]
  wrong: { count: number; samples: unknown[] }
}

/** The part of the simulated Microsoft's state that is read here. */
export type MicrosoftState = { graphRequests: number; graphRequestsLeast: number; tooEarly: number }

export type Simulators = {
  readonly ready: SimulatorsReady
  readonly pid: number
  exchangeState(): Promise<ExchangeState>
  microsoftState(): Promise<MicrosoftState>
  post(server: 'exchange' | 'microsoft', path: string, body: unknown): Promise<void>
} & AsyncDisposable

/** Starts Exchange and Microsoft as one other process that share a population, and waits until both listen. */
export async function startSimulators(options: SimulatorsOptions, signal: AbortSignal): Promise<Simulators> {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const started = await startProcess(
    {
      name: 'simulators',
      arguments: [
        main,
        'simulate',
        'all',
        ...[
          '--port',
          '0',
          '--devices',
          String(options.devices),
          '--latency-ms',
          String(options.latencyMs),
          '--seed',
          String(options.seed),
          '--json',
        ],
        ...(options.faultsFile === undefined ? [] : ['--faults', options.faultsFile]),
      ],
      env: options.env,
      log: options.log,
      readyMs: 60_000,
    },
    signal,
  )
  favour(started.pid)
  const ready = started.ready as unknown as SimulatorsReady
  const bases = { exchange: new URL(ready.url).origin, microsoft: new URL(ready.endpoint).origin }
  return {
    ready,
    pid: started.pid,
    ...readersOf(bases),
    post: (server, path, body) => post(`${bases[server]}${path}`, body),
    [Symbol.asyncDispose]: () => started.stop(5_000),
  }
}

/** Reads what happened at simulators that serve at these origins. */
export function readersOf(
  bases: { exchange: string; microsoft: string },
  dispatcher?: Dispatcher,
): Pick<Simulators, 'exchangeState' | 'microsoftState'> {
  const state = async (base: string): Promise<unknown> => {
    const options = { signal: AbortSignal.timeout(STATE_MS), ...(dispatcher === undefined ? {} : { dispatcher }) }
    return await (await request(`${base}/__simulator/state?brief`, options)).body.json()
  }
  return {
    exchangeState: async () => (await state(bases.exchange)) as ExchangeState,
    microsoftState: async () => (await state(bases.microsoft)) as MicrosoftState,
  }
}

/** Exchange and Microsoft stand on machines of their own: where this one allows it, our workers do not slow them down. */
function favour(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_ABOVE_NORMAL)
  } catch {
    // Only root may; then they share the machine with everybody else.
  }
}

async function post(url: string, body: unknown): Promise<void> {
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`The simulator answered ${answer.statusCode}: ${text}`)
}
