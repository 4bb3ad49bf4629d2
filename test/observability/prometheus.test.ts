import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureRabbitmqServer } from '@gatehouse/broker/local'
import { runMeasuredSync, type System } from '@gatehouse/cli/system'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { FULL_SYNC, startTestSystem } from '../end-to-end/start-test-system.ts'
import { ensurePrometheus } from '../environment/ensure-prometheus.ts'
import type {} from '../environment/provided-parts.ts'
import { until } from '../environment/until.ts'
import { listPanelQueries, listVariables, selectorsOf } from './list-queries.ts'
import { startMeasuredRabbitmq } from './start-measured-rabbitmq.ts'
import { type Prometheus, startPrometheus } from './start-prometheus.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const START_MS = 240_000

const programs = await ensurePrometheus()
const log = { info: (_fields: object, message: string) => void process.stderr.write(`${message}\n`) }
const path = process.env.PATH ?? ''
/** A node whose plugins are ours to choose: a broker that is given, or in a container, has its own. */
const hasRabbitmq = await ensureRabbitmqServer({ log, path, signal: AbortSignal.timeout(600_000) }).then(
  () => true,
  () => false,
)
const stack = new AsyncDisposableStack()
let prometheus: Prometheus
let system: System
afterAll(() => stack.disposeAsync(), 60_000)

/** A system of 60 devices after its first sync, its own RabbitMQ, and a Prometheus that scrapes both as the deployed one does. */
async function start(program: string, signal: AbortSignal): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-prometheus-'))
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  const rabbitmq = await startMeasuredRabbitmq(join(directory, 'rabbitmq'), signal)
  stack.defer(() => rabbitmq.node.stop({ kill: true }))
  const url = new URL(rabbitmq.node.amqpUrl)
  system = stack.use(
    await startTestSystem(
      {
        devices: 60,
        env: {
          ...process.env,
          GATEHOUSE_DATABASE_URL: inject('parts').databaseUrl,
          GATEHOUSE_AMQP_URL: url.href,
          GATEHOUSE_RABBITMQ_MANAGEMENT_URL: rabbitmq.node.managementUrl,
          GATEHOUSE_GRAPH_CLIENT_SECRET_EXPIRES: '2199-12-31',
        },
      },
      signal,
    ),
  )
  await runMeasuredSync(system, FULL_SYNC, signal)
  const config = await localConfig(rabbitmq.metricsAddress)
  prometheus = stack.use(await startPrometheus({ program, directory, config, signal }))
  // Control reads every half minute, RabbitMQ counts every five seconds.
  const isSeen = async (expr: string): Promise<boolean> => (await prometheus.query(expr)).length > 0
  await until(
    async () =>
      (await isSeen('gatehouse_sync_last_run_status{sync_type="fullSync", status="succeeded"} == 1')) &&
      (await isSeen('rabbitmq_detailed_queue_consumers{queue="gh.enforcement"} > 0')) &&
      (await isSeen('count(up == 1) == 7')),
    90_000,
  )
}

/** The deployed configuration; only the addresses are those of this system, and it does not wait so long. */
async function localConfig(rabbitmqAddress: string): Promise<string> {
  const deployed = await readFile(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8')
  const workers = [...system.workers.running.values()].map(({ name, ready }) => ({
    targets: [new URL(ready.healthUrl ?? '').host],
    labels: { __meta_dns_name: name },
  }))
  const rabbitmq = [{ targets: [rabbitmqAddress] }]
  return deployed
    .replace(/ {4}dns_sd_configs:\n(?: {6}.*\n)+/g, (block) => {
      const targets = block.includes('[rabbitmq]') ? rabbitmq : workers
      return `    static_configs: ${JSON.stringify(targets)}\n`
    })
    .replace(/(scrape_interval|evaluation_interval): 15s/g, '$1: 2s')
    .replace('scrape_timeout: 10s', 'scrape_timeout: 2s')
    .replace('- alerts.yml', `- ${ROOT}deploy/prometheus/alerts.yml`)
    .replace('vhost: [gatehouse]', `vhost: [${system.parts.broker?.vhost}]`)
}

describe.skipIf(programs === undefined || !hasRabbitmq)('a Prometheus that scrapes a system', () => {
  beforeAll(async () => {
    await start(programs?.prometheus ?? '', AbortSignal.timeout(START_MS))
  }, START_MS)

  it('reaches every worker and RabbitMQ', async () => {
    const up = await prometheus.query('up')

    expect(up.map(({ metric, value }) => `${metric['job']} ${metric['worker'] ?? ''} ${value[1]}`).toSorted()).toEqual([
      'gatehouse compliance-lookup 1',
      'gatehouse control 1',
      'gatehouse discovery 1',
      'gatehouse enforcement 1',
      'gatehouse notification 1',
      'rabbitmq  1',
      'rabbitmq-queues  1',
    ])
  })

  it.each(listPanelQueries())('has the series that the panel "$where" asks for: $expr', async ({ expr }) => {
    await prometheus.query(expr)

    expect(await missingOf(expr)).toEqual([])
  })

  it.each(listVariables())('has choices for the variable $where', async ({ selector, label }) => {
    const series = await prometheus.query(selector)

    expect(series.length).toBeGreaterThan(0)
    expect(series.filter(({ metric }) => metric[label] === undefined)).toEqual([])
  })

  it('has the series that the alerts ask for, and evaluates all of them', async () => {
    await until(async () => (await prometheus.rules()).every(({ health }) => health !== 'unknown'))

    const rules = await prometheus.rules()

    expect(rules.length).toBeGreaterThan(20)
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    for (const { name, query } of rules) expect([name, await missingOf(query)]).toEqual([name, []])
  })

  it('raises no alert about a system that is well', async () => {
    const raised = async () => (await prometheus.rules()).filter(({ state }) => state !== 'inactive')
    // A machine that is busy may miss a scrape.
    await until(async () => (await raised()).length === 0).catch(() => {})

    expect((await raised()).map(({ name, state }) => `${name} ${state}`)).toEqual([])
  })

  it('finds exactly the metrics that the page of metrics names, of the type it names', async () => {
    const metadata = await prometheus.metadata()
    const scraped = Object.entries(metadata).filter(([name]) => name.startsWith('gatehouse_'))
    const page = await readFile(join(ROOT, 'docs/operations/metrics.md'), 'utf8')
    const named = [...page.matchAll(/^\| `(gatehouse_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`)

    expect(scraped.map(([name, [first]]) => `${name} ${first?.type}`).toSorted()).toEqual(named.toSorted())
  })

  it('sees what the sync has done', async () => {
    const figureOf = async (expr: string): Promise<number> => Number((await prometheus.query(expr))[0]?.value[1])

    expect(await figureOf('sum(gatehouse_access_writes_total{outcome="written"})')).toBeGreaterThan(10)
    expect(await figureOf('sum(gatehouse_access_writes_total{outcome="failed"})')).toBe(0)
    expect(await figureOf('sum(gatehouse_notice_sends_total{outcome="sent"})')).toBeGreaterThan(0)
    expect(await figureOf('sum(gatehouse_graph_requests_total)')).toBeGreaterThan(0)
    expect(await figureOf('sum(gatehouse_cmdlets_total{worker="enforcement"})')).toBeGreaterThan(10)
    expect(await figureOf('gatehouse_decisions_waiting')).toBe(0)
    expect(await figureOf('gatehouse_connector_status{status="connected"}')).toBe(1)
  })

  it('raises the alarm when Graph refuses a permission, and when Exchange is away', { timeout: 180_000 }, async ({
    signal,
  }) => {
    const isRaised = async (name: string): Promise<boolean> => {
      const rule = (await prometheus.rules()).find((one) => one.name === name)
      return rule?.state === 'firing' || rule?.state === 'pending'
    }

    const deniedPermissions = ['DeviceManagementManagedDevices.Read.All']
    await system.simulators.post('microsoft', '/__simulator/faults', { graph: { deniedPermissions } })
    const { run } = await runMeasuredSync(system, FULL_SYNC, signal)
    await until(() => isRaised('GatehouseGraphSignInFailing'), 60_000)
    await system.simulators.post('microsoft', '/__simulator/faults', {})
    await system.simulators.post('exchange', '/__simulator/faults', { exchange: { unreachable: true } })
    await system.control.post('/api/syncs', { syncType: 'fullSync' })
    await until(() => isRaised('GatehouseConnectorDisconnected'), 90_000)

    expect(run).toMatchObject({ status: 'failed', problem: { code: 'graph-permission-missing' } })
    expect((await prometheus.query('sum(gatehouse_exchange_failures_total) > 0')).length).toBe(1)
  })
})

/** Those series of a query that do not exist: a name that nobody exports, or a label value that never was. */
async function missingOf(expr: string): Promise<string[]> {
  const selectors = [...new Set(selectorsOf(expr))]
  expect(selectors).not.toEqual([])
  const found = await Promise.all(selectors.map(async (selector) => (await prometheus.query(selector)).length))
  return selectors.filter((_, index) => found[index] === 0)
}
