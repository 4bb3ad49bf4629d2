import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Counter, type Registry } from 'prom-client'

const OTHER = 'other'

/** Takes note of what failed at an organisation's Exchange; failures that are about one mailbox are not counted. */
export type ExchangeFailureCounter = (organization: string, error: unknown) => void

/** Counts by the code of the error. `codes`: those with a label of their own; all exist from the start, at zero. */
export function createExchangeFailureCounter(
  registry: Registry,
  organizations: readonly string[],
  codes: readonly string[],
): ExchangeFailureCounter {
  const failures = new Counter({
    name: 'gatehouse_exchange_failures_total',
    help: 'What failed at Exchange and is not about one mailbox: connecting, signing in, shells, quotas',
    labelNames: ['organization', 'code'],
    registers: [registry],
  })
  const known = new Set([...codes, OTHER])
  for (const organization of organizations) for (const code of known) failures.inc({ organization, code }, 0)
  return (organization, error) => {
    if (!(error instanceof PermanentError || error instanceof RetryableError)) return
    if (error.detail['scope'] === 'mailbox') return
    failures.inc({ organization, code: known.has(error.code) ? error.code : OTHER })
  }
}
