import { startExchangeSimulator } from './exchange/start-exchange-simulator.ts'
import { startMicrosoftSimulator } from './microsoft/start-microsoft-simulator.ts'
import { createPopulation } from './population/create-population.ts'
import { mergePopulations } from './population/merge-populations.ts'
import type { Population } from './population/population.ts'
import type { SimulatorsReady } from './serve.ts'

export type ServedOrganization = { name: string; devices: number; seed: number }

export type ServeOrganizationsOptions = {
  /** All of the tenant. Each process that serves some of them invents all that it needs anew: the same options give the same. */
  organizations: readonly ServedOrganization[]
  /** An Exchange for each of these, or the one Microsoft of all. */
  serve: { exchangesOf: readonly string[] } | 'microsoft'
  latencyMs: number
}

export type ServedExchange = Required<
  Pick<SimulatorsReady, 'url' | 'ewsUrl' | 'user' | 'password' | 'devices' | 'mailboxes'>
> & {
  name: string
  /** Where its state is read and its faults are set. */
  simulatorUrl: string
}
export type ServedMicrosoft = Required<
  Pick<SimulatorsReady, 'authority' | 'endpoint' | 'tenantId' | 'clientId' | 'clientSecret' | 'policy'>
>

export type OrganizationsReady = { exchanges: ServedExchange[]; microsoft: ServedMicrosoft | undefined }

/** Serves several Exchange organisations, each a server of its own, or the Microsoft tenant of all, until `stop`. */
export async function serveOrganizations(
  options: ServeOrganizationsOptions,
): Promise<{ ready: OrganizationsReady; stop(): Promise<void> }> {
  const { organizations, serve, latencyMs } = options
  if (serve === 'microsoft') {
    const population = mergePopulations(organizations.map(invent))
    const served = await startMicrosoftSimulator({ population, host: '127.0.0.1', port: 0, latencyMs: latencyMs / 4 })
    const { authority, endpoint, tenantId, clientId, clientSecret, stop } = served
    const { includedGroups, excludedGroups } = population.policy
    const policy = { includedGroups, excludedGroups }
    return { ready: { exchanges: [], microsoft: { authority, endpoint, tenantId, clientId, clientSecret, policy } }, stop }
  }
  const started: { ready: ServedExchange; stop: () => Promise<void> }[] = []
  for (const one of organizations.filter(({ name }) => serve.exchangesOf.includes(name))) {
    const population = withoutMicrosoft(invent(one))
    const { stop, ...exchange } = await startExchangeSimulator({ population, port: 0, latencyMs })
    const { url, ewsUrl, user, password, simulatorUrl } = exchange
    const size = { devices: one.devices, mailboxes: population.mailboxes.length }
    started.push({ ready: { name: one.name, url, ewsUrl, user, password, simulatorUrl, ...size }, stop })
  }
  return {
    ready: { exchanges: started.map(({ ready }) => ready), microsoft: undefined },
    stop: async () => {
      await Promise.all(started.map(({ stop }) => stop()))
    },
  }
}

function invent({ name, devices, seed }: ServedOrganization): Population {
  return createPopulation({ devices, seed, organization: name })
}

/** Another process serves that half; a hundred thousand devices are worth letting go of. */
function withoutMicrosoft(population: Population): Population {
  return { ...population, users: [], groups: [], managedDevices: [], entraDevices: [], traps: new Map() }
}
