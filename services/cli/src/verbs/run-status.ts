import { formatRows } from '../format-rows.ts'
import { printable } from '../terminal.ts'
import type { QueryContext } from './query-context.ts'
import type { Page } from './run-queries.ts'

type Status = { services: Record<string, unknown>[]; ladder: number | null; unrouted: number | null; holds: string[] }

const LINES_MAX = 50
const LINE_CHARACTERS_MAX = 400

/** How the connectors and the last sync runs are, what waits where, and what holds it up. */
export async function runStatus({ control, terminal, json }: QueryContext): Promise<number> {
  const [connectors, syncRuns, status] = (await Promise.all([
    control.get('/api/exchangeConnectors'),
    control.get('/api/syncRuns', { top: 5 }),
    control.get('/api/status'),
  ])) as [Page, Page, Status]
  if (json) {
    terminal.print(JSON.stringify({ exchangeConnectors: connectors.value, syncRuns: syncRuns.value, ...status }))
    return 0
  }
  const tables = [
    formatRows(connectors.value, ['exchangeOrganization', 'status', 'serverName', 'reportOnly', 'lastSyncDateTime', 'problem']),
    formatRows(syncRuns.value, RUN_COLUMNS),
    formatRows(status.services, SERVICE_COLUMNS),
    formatHolds(status.holds),
  ]
  terminal.print(tables.join('\n\n'))
  return 0
}

const RUN_COLUMNS = ['id', 'syncType', 'cause', 'status', 'brake', 'wouldBlock', 'startedAt', 'finishedAt', 'problem']
const SERVICE_COLUMNS = [
  'service',
  'copies',
  'urgent',
  'bulk',
  'due',
  'dead',
  'inHand',
  'running',
  'limit',
  'ceiling',
  'handledPerSecond',
  'oldestInHandSeconds',
]

/** What a server or an administrator named may be in them. */
function formatHolds(holds: readonly string[]): string {
  if (holds.length === 0) return 'Nothing is held up'
  const lines = holds.slice(0, LINES_MAX).map((hold) => `* ${printable(hold).slice(0, LINE_CHARACTERS_MAX)}`)
  return [...lines, ...(holds.length > LINES_MAX ? [`* and ${holds.length - LINES_MAX} more`] : [])].join('\n')
}
