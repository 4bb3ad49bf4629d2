import {
  createBrokerMetrics,
  createClockMetrics,
  createExchangeFailureCounter,
  createExchangeMetrics,
  createMetrics,
  createQueueMetrics,
  createSpanCounter,
  createStateMetrics,
  type Registry,
} from '@gatehouse/worker'
import { createGraphMetrics } from '../services/compliance-lookup/src/create-graph-metrics.ts'
import { createOrganizationMetrics } from '../services/control/src/status/create-organization-metrics.ts'
import { createEnforcementMetrics } from '../services/enforcement/src/create-enforcement-metrics.ts'
import { createNoticeMetrics } from '../services/notification/src/create-notice-metrics.ts'

const HEAD = `# Metrics

<!-- Made by \`npm run check -- --write\` from the code that exports them: change the text there. -->

Every worker serves \`/metrics\` on \`worker.healthHost\`:\`worker.healthPort\` for Prometheus; \`deploy/prometheus\` has a configuration that
scrapes all of them, and the alerts with [a runbook each](runbooks/README.md). Every series has the label \`worker\`. No label holds a
device, a user, a mailbox or a message; \`organization\` is the name in the settings, \`code\` one of a fixed list, \`type\` a message
type or \`unknown\`. Series exist from the start of a worker, at zero, so that \`rate\` and \`increase\` see the first event. Counters
begin anew when a worker is started, and those of a runspace pool when its connection is.

What control says of an organisation is read from the database every 30 s, by every copy of control: use \`max by (organization)\`.
Whatever a worker says of itself is of one copy: use \`sum\`.

Besides these there are \`process_…\` (\`process_start_time_seconds\`: \`time() - process_start_time_seconds\` is the uptime;
\`process_resident_memory_bytes\`) and \`nodejs_…\`, as the library prom-client makes them.
`

type Described = { name: string; help: string; type: string; labelNames: readonly string[] }

const SECTIONS: readonly { title: string; fill: (registry: Registry) => void }[] = [
  {
    title: 'Every worker',
    fill: (registry) => {
      createBrokerMetrics(registry)
      createStateMetrics(registry, notRead)
      createClockMetrics(registry)
      createSpanCounter(registry)
    },
  },
  {
    title: 'control',
    fill: (registry) => {
      createOrganizationMetrics(registry, {
        organizations: [],
        intervals: { fullSync: 0, deltaSync: 0 },
        read: notRead,
        nowMs: Date.now,
      })
      createQueueMetrics(registry, [])
    },
  },
  {
    title: 'discovery and enforcement',
    fill: (registry) => {
      createExchangeMetrics(registry, [])
      createExchangeFailureCounter(registry, [], [])
    },
  },
  { title: 'enforcement', fill: (registry) => createEnforcementMetrics(registry, new Map()) },
  {
    title: 'compliance-lookup',
    fill: (registry) =>
      createGraphMetrics(registry, { requestCounts: notRead, clientSecretExpires: '2027-05-31', nowMs: Date.now }),
  },
  { title: 'notification', fill: (registry) => createNoticeMetrics(registry, []) },
]

/** docs/operations/metrics.md, from the metrics that the workers register. */
export function formatMetricsReference(): string {
  const sections = describeMetrics().map(({ title, metrics }) => {
    const rows = metrics.map(({ name, type, labelNames, help }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${labels} | ${help} |`
    })
    return [`## ${title}`, '', '| metric | type | labels | what |', '|---|---|---|---|', ...rows, ''].join('\n')
  })
  return [HEAD, ...sections].join('\n')
}

/** What each kind of worker registers, without what comes with the process. */
export function describeMetrics(): { title: string; metrics: Described[] }[] {
  return SECTIONS.map(({ title, fill }, index) => {
    const registry = createMetrics('any')
    const common = new Set(index === 0 ? [] : registry.getMetricsAsArray().map(({ name }) => name))
    fill(registry)
    const all = registry.getMetricsAsArray() as unknown as (Described & { constructor: { name: string } })[]
    const metrics = all.filter(({ name }) => name.startsWith('gatehouse_') && !common.has(name))
    return { title, metrics: metrics.map((one) => ({ ...one, type: one.constructor.name.toLowerCase() })) }
  })
}

/** Nothing is collected here, only described. */
function notRead(): never {
  throw new Error('Nobody reads the metrics of a description')
}
