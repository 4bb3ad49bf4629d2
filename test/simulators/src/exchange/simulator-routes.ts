import type { ServerResponse } from 'node:http'
import type { Population } from '../population/population.ts'
import { changeOrganization } from './change-organization.ts'
import { readExchangeState } from './exchange-state.ts'
import type { Faults } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { Organization } from './organization/organization.ts'
import type { ShellHost } from './wsman/shell-host.ts'

export type SimulatorRoutesOptions = {
  ledger: Ledger
  organization: Organization
  population: Population
  host: ShellHost
  faults: Faults
  setLatency: (ms: number) => void
}

const LATENCY_MS_MAX = 3_600_000

/** What tests and benches ask: /__simulator/state, /faults, /latency, /population-change. */
export function handleSimulatorRoute(
  o: SimulatorRoutesOptions,
  request: { method: string; url: URL; text: string },
  response: ServerResponse,
): void {
  const route = `${request.method} ${request.url.pathname.replace(/\/$/, '')}`
  try {
    if (route === 'GET /__simulator/state') {
      answer(response, 200, readExchangeState({ ...o, isBrief: request.url.searchParams.has('brief') }))
    } else if (route === 'POST /__simulator/faults') {
      o.faults.set(JSON.parse(request.text))
      answer(response, 200, { faults: o.faults.plan })
    } else if (route === 'POST /__simulator/latency') {
      const { latencyMs } = JSON.parse(request.text) as { latencyMs?: unknown }
      if (typeof latencyMs !== 'number' || !(latencyMs >= 0 && latencyMs <= LATENCY_MS_MAX))
        throw new Error(`latencyMs: ${JSON.stringify(latencyMs)} is not a number from 0 to ${LATENCY_MS_MAX}`)
      o.setLatency(latencyMs)
      answer(response, 200, { latencyMs })
    } else if (route === 'POST /__simulator/population-change') {
      changeOrganization({ ...o, changes: JSON.parse(request.text) })
      answer(response, 200, { changed: true })
    } else answer(response, 404, { error: `There is no ${route}` })
  } catch (error) {
    answer(response, 400, { error: error instanceof Error ? error.message : String(error) })
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
