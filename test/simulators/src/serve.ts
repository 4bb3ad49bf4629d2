import { readFile } from 'node:fs/promises'
import { startExchangeSimulator } from './exchange/start-exchange-simulator.ts'
import { parseGraphFaults } from './microsoft/graph-faults.ts'
import { startMicrosoftSimulator } from './microsoft/start-microsoft-simulator.ts'
import { createPopulation } from './population/create-population.ts'

export type ServeOptions = {
  what: 'exchange' | 'microsoft' | 'all'
  /** Of the first of the servers asked for; 0 picks a free one. */
  port: number
  microsoftPort?: number
  devices: number
  /** How long each cmdlet takes. Graph answers after a quarter of it. */
  latencyMs: number
  seed: number
  /** JSON: one plan for both servers; Microsoft reads its `graph` section. */
  faultsFile?: string | undefined
  /** Default 127.0.0.1. */
  host?: string
  /** With them both servers speak https. PEM files. */
  tls?: { keyFile: string; certificateFile: string } | undefined
}

/** What a client must know; the Exchange half or the Microsoft half is absent when it is not served. */
export type SimulatorsReady = {
  /** Exchange PowerShell. */
  url?: string
  ewsUrl?: string
  user?: string
  password?: string
  /** The account that may send mail; `user` may not have a mailbox. */
  notificationUser?: string
  notificationPassword?: string
  authority?: string
  endpoint?: string
  tenantId?: string
  clientId?: string
  clientSecret?: string
  policy: { includedGroups: string[]; excludedGroups: string[] }
  devices: number
  mailboxes: number
  seed: number
}

/** Serves the simulators asked for in this process, on one population, until `stop`. */
export async function serveSimulators(options: ServeOptions): Promise<{ ready: SimulatorsReady; stop(): Promise<void> }> {
  const population = createPopulation({ devices: options.devices, seed: options.seed })
  const plan: unknown = options.faultsFile === undefined ? {} : JSON.parse(await readFile(options.faultsFile, 'utf8'))
  const tls = await readTls(options.tls)
  const shared = { population, host: options.host ?? '127.0.0.1', ...(tls === undefined ? {} : { tls }) }
  const stops: (() => Promise<void>)[] = []
  const { includedGroups, excludedGroups } = population.policy
  const ready: SimulatorsReady = {
    policy: { includedGroups, excludedGroups },
    devices: options.devices,
    mailboxes: population.mailboxes.length,
    seed: options.seed,
  }
  if (options.what !== 'microsoft') {
    const exchange = await startExchangeSimulator({ ...shared, port: options.port, latencyMs: options.latencyMs, faults: plan })
    stops.push(() => exchange.stop())
    const { url, ewsUrl, user, password, notificationUser, notificationPassword } = exchange
    Object.assign(ready, { url, ewsUrl, user, password, notificationUser, notificationPassword })
  }
  if (options.what !== 'exchange') {
    const port = options.what === 'microsoft' ? options.port : (options.microsoftPort ?? 0)
    const faults = parseGraphFaults(plan)
    const microsoft = await startMicrosoftSimulator({ ...shared, port, latencyMs: options.latencyMs / 4, faults })
    stops.push(() => microsoft.stop())
    const { authority, endpoint, tenantId, clientId, clientSecret } = microsoft
    Object.assign(ready, { authority, endpoint, tenantId, clientId, clientSecret })
  }
  return {
    ready,
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

async function readTls(files: ServeOptions['tls']): Promise<{ key: string; cert: string } | undefined> {
  if (files === undefined) return undefined
  const [key, cert] = await Promise.all([readFile(files.keyFile, 'utf8'), readFile(files.certificateFile, 'utf8')])
  return { key, cert }
}
