import { type Dashboard, toGrafanaDashboard } from './dashboard.ts'
import { OVERVIEW } from './overview.ts'
import { QUEUES } from './queues.ts'
import { RUNSPACE_POOL } from './runspace-pool.ts'
import { WORKER_DASHBOARD } from './worker.ts'

const DASHBOARDS: readonly Dashboard[] = [OVERVIEW, WORKER_DASHBOARD, RUNSPACE_POOL, QUEUES]

/** The files of deploy/grafana/dashboards, by their names. */
export function listDashboardFiles(): { name: string; text: string }[] {
  return DASHBOARDS.map((dashboard) => ({
    name: `${dashboard.uid}.json`,
    text: `${JSON.stringify(toGrafanaDashboard(dashboard), undefined, 2)}\n`,
  }))
}
