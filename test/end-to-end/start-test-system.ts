import { type System, type SystemOptions, startSystem } from '@gatehouse/cli/system'
import { inject } from 'vitest'
import type {} from '../environment/provided-parts.ts'

/** A whole system with a database and a broker of its own. */
export function startTestSystem(options: Partial<SystemOptions>, signal: AbortSignal): Promise<System> {
  return startSystem(
    {
      devices: 240,
      latencyMs: 5,
      seed: 11,
      runspaces: 6,
      copies: {},
      faultsFile: undefined,
      reportOnly: false,
      log: () => {},
      onWorkerEvent: () => {},
      ...options,
      env: { ...sharedParts(), ...options.env },
    },
    signal,
  )
}

/** The database that all tests share, where each system makes its own; the broker is the system's own, with its users. */
function sharedParts(): Record<string, string | undefined> {
  return { ...process.env, GATEHOUSE_DATABASE_URL: inject('parts').databaseUrl }
}

/** What must be true of Exchange, the mail and the broker after any sync that ended well, whatever happened meanwhile. */
export async function readEndState(
  system: System,
): Promise<{ wrong: number; mailsTwice: number; deadLetters: number; samples: unknown }> {
  const exchange = await system.simulators.exchangeState()
  const letters = (await system.control.get('/api/deadLetters', { top: 100 })) as { value: unknown[] }
  return {
    wrong: exchange.wrong.count,
    mailsTwice: exchange.mailsTwice.length,
    deadLetters: letters.value.length,
    samples: [exchange.wrong.samples, letters.value.slice(0, 3)],
  }
}

export const RIGHT = { wrong: 0, mailsTwice: 0, deadLetters: 0 }

/** A full sync as an administrator starts it who has confirmed its writes in advance. */
export const FULL_SYNC = { syncType: 'fullSync', confirmed: true, timeoutMs: 240_000, onProgress: () => {} } as const
