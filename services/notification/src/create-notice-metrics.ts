import { Counter, type Registry } from '@gatehouse/worker'
import type { SendOutcome } from './outbox.ts'

const OUTCOMES: readonly SendOutcome[] = ['sent', 'refused', 'account', 'busy', 'unreachable', 'error']

/** How attempts to send ended, of each organisation; all series are there from the start, at zero. */
export function createNoticeMetrics(
  registry: Registry,
  organizations: readonly string[],
): (organization: string, outcome: SendOutcome) => void {
  const attempts = new Counter({
    name: 'gatehouse_notice_sends_total',
    help: 'Attempts to send a notice: sent; refused (this recipient, for good), account (everybody), busy, unreachable, error',
    labelNames: ['organization', 'outcome'],
    registers: [registry],
  })
  for (const organization of organizations) for (const outcome of OUTCOMES) attempts.inc({ organization, outcome }, 0)
  return (organization, outcome) => attempts.inc({ organization, outcome })
}
