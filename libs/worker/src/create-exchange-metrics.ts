import { Counter, Gauge, type Registry } from 'prom-client'

/** What is read of the connection to one organisation's Exchange; the counts begin anew with each connection. */
export type ExchangeReading = {
  /** The endpoint in use, and how its runspace pool is; undefined while there is none. */
  readonly url: string
  readonly stats:
    | {
        readonly shells: number
        readonly busy: number
        readonly queued: number
        readonly shellsAllowed: number
        readonly shellsOpened: number
        readonly shellsLost: number
        readonly openingsFailed: number
        readonly openingsRefused: number
        readonly invoked: number
        readonly pausedMs: number
      }
    | undefined
}

export type MeasuredExchange = {
  readonly organization: string
  readonly primaryUrl: string
  readonly runspacesMax: number
  readonly read: () => ExchangeReading | undefined
}

type Figure = { name: string; help: string; read: (reading: ExchangeReading | undefined, of: MeasuredExchange) => number }

const GAUGES: readonly Figure[] = [
  {
    name: 'gatehouse_exchange_failover_active',
    help: '1 while another client access server is used than the one of the settings',
    read: (reading, { primaryUrl }) => (reading === undefined || reading.url === primaryUrl ? 0 : 1),
  },
  { name: 'gatehouse_runspaces_limit', help: 'Runspaces that this copy may have', read: (_, of) => of.runspacesMax },
  {
    name: 'gatehouse_runspaces_allowed',
    help: 'Runspaces that it lets itself have now; fewer than the limit after Exchange or the budget of the account refused one',
    read: (reading, of) => Math.min(of.runspacesMax, reading?.stats?.shellsAllowed ?? of.runspacesMax),
  },
  { name: 'gatehouse_runspaces_open', help: 'Runspaces that are open', read: (reading) => reading?.stats?.shells ?? 0 },
  { name: 'gatehouse_runspaces_busy', help: 'Runspaces that run a cmdlet', read: (reading) => reading?.stats?.busy ?? 0 },
  {
    name: 'gatehouse_cmdlets_waiting',
    help: 'Cmdlets that wait for a runspace',
    read: (reading) => reading?.stats?.queued ?? 0,
  },
]

const COUNTERS: readonly Figure[] = [
  {
    name: 'gatehouse_cmdlets_total',
    help: 'Cmdlets that came to their end, with or without errors of their own',
    read: (reading) => reading?.stats?.invoked ?? 0,
  },
  {
    name: 'gatehouse_shells_opened_total',
    help: 'Shells opened at Exchange',
    read: (reading) => reading?.stats?.shellsOpened ?? 0,
  },
  {
    name: 'gatehouse_shells_lost_total',
    help: 'Shells given up because nothing in them came to an end any more',
    read: (reading) => reading?.stats?.shellsLost ?? 0,
  },
  {
    name: 'gatehouse_shell_openings_failed_total',
    help: 'Shells that could not be opened in the background',
    read: (reading) => reading?.stats?.openingsFailed ?? 0,
  },
  {
    name: 'gatehouse_shell_openings_refused_total',
    help: 'Of those: the budget of the account was used up, or Exchange has a shell quota',
    read: (reading) => reading?.stats?.openingsRefused ?? 0,
  },
  {
    name: 'gatehouse_exchange_throttled_seconds_total',
    help: 'Time for which Exchange asked the pool to send nothing',
    read: (reading) => (reading?.stats?.pausedMs ?? 0) / 1_000,
  },
]

/** The connections to Exchange and their runspace pools, read whenever Prometheus asks. */
export function createExchangeMetrics(registry: Registry, exchanges: readonly MeasuredExchange[]): void {
  const options = { labelNames: ['organization'], registers: [registry] }
  for (const { name, help, read } of GAUGES)
    new Gauge({
      ...options,
      name,
      help,
      collect() {
        for (const one of exchanges) this.set({ organization: one.organization }, read(one.read(), one))
      },
    })
  for (const { name, help, read } of COUNTERS)
    new Counter({
      ...options,
      name,
      help,
      collect() {
        this.reset()
        for (const one of exchanges) this.inc({ organization: one.organization }, read(one.read(), one))
      },
    })
}
