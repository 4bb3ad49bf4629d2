/**
 * Usage: node test/bench/broker.ts [--json] [--messages 20000] [--rounds 5]
 *
 * The same hop (take a message, parse it, handle it, publish what it causes, wait for the confirm, acknowledge) written with
 * plain amqplib, with libs/broker, with rascal and with rabbitmq-client, in turn on one broker; and how late the delay ladder is.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect } from 'amqplib'
import { applyTopology, EVENTS, inboxOf } from '../../libs/broker/src/index.ts'
import { chooseBroker } from '../../libs/broker/src/local-rabbitmq.ts'
import { createMessage, routingKeyOf } from '../../libs/messages/src/index.ts'
import { gatehouseHop, type Hop, IN_HAND, propertiesOf, rabbitmqClientHop, rascalHop, rawHop } from './broker/hops.ts'
import { type Lateness, measureLateness } from './broker/measure-lateness.ts'

const BUDGETS = { ratio: 0.8, latenessP99Ms: 100 }
const signal = AbortSignal.timeout(10 * 60_000)
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    messages: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
  },
})
const messages = Number(values.messages)
const rounds = Number(values.rounds)
const note = (text: string): void => {
  process.stderr.write(`${text}\n`)
}
const log = {
  info: () => {},
  debug: () => {},
  warn: (fields: object, text: string) => note(`${text} ${JSON.stringify(fields)}`),
}

type Round = { seconds: number; cpuSeconds: number }

const HOPS = { raw: rawHop, gatehouse: gatehouseHop, rascal: rascalHop, rabbitmqClient: rabbitmqClientHop } as const
type Name = keyof typeof HOPS
const NAMES = Object.keys(HOPS) as Name[]

const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
const broker = await chooseBroker({ env: process.env, directory, log, signal })
const vhost = `bench-${randomUUID().slice(0, 8)}`
const url = `${broker.amqpUrl.replace(/\/$/, '')}/${vhost}`
const bench = { url, vhost, signal, note }
try {
  await applyTopology({ ...broker, vhost, usersPasswords: {} }, signal)
  const report = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else print(report)
  if (report.ratio < BUDGETS.ratio || report.lateness.p99Ms > BUDGETS.latenessP99Ms) process.exitCode = 1
} finally {
  await broker.stop()
  await rm(directory, { recursive: true, force: true })
}

async function measure() {
  const measured: Record<Name, Round[]> = { raw: [], gatehouse: [], rascal: [], rabbitmqClient: [] }
  // The first round warms up the code and the broker and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const [index] of NAMES.entries()) {
      // A different order each round, so that no hop always follows the same one.
      const name = NAMES[(index + round) % NAMES.length] as Name
      const result = await measureHop(HOPS[name])
      note(
        `round ${round} ${name}: ${Math.round(messages / result.seconds)} messages/s, ${Math.round((result.cpuSeconds * 1e6) / messages)} µs CPU each`,
      )
      if (round > 0) measured[name].push(result)
    }
  const perSecond = (name: Name): number => Math.round(median(measured[name].map(({ seconds }) => messages / seconds)))
  const cpuMicroseconds = (name: Name): number =>
    Math.round(median(measured[name].map(({ cpuSeconds }) => (cpuSeconds * 1e6) / messages)))
  const ratioTo = (name: Name): number =>
    round2(median(measured[name].map((other, round) => other.seconds / (measured.gatehouse[round]?.seconds ?? Number.NaN))))
  const lateness: Lateness = await measureLateness(bench)
  return {
    bench: 'broker',
    machine: `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`,
    node: process.version,
    broker: `RabbitMQ ${await readBrokerVersion()} (${broker.kind})`,
    messages,
    rounds,
    inHand: IN_HAND,
    rawPerSecond: perSecond('raw'),
    gatehousePerSecond: perSecond('gatehouse'),
    rascalPerSecond: perSecond('rascal'),
    rabbitmqClientPerSecond: perSecond('rabbitmqClient'),
    ratio: ratioTo('raw'),
    ratioToRascal: ratioTo('rascal'),
    ratioToRabbitmqClient: ratioTo('rabbitmqClient'),
    cpuMicrosecondsPerHop: {
      raw: cpuMicroseconds('raw'),
      gatehouse: cpuMicroseconds('gatehouse'),
      rascal: cpuMicroseconds('rascal'),
      rabbitmqClient: cpuMicroseconds('rabbitmqClient'),
    },
    lateness,
    budgets: BUDGETS,
  }
}

type Report = Awaited<ReturnType<typeof measure>>

async function measureHop(hop: Hop): Promise<Round> {
  await fill(messages)
  const finished = Promise.withResolvers<void>()
  let handled = 0
  const startedAt = performance.now()
  const cpuAtStart = process.cpuUsage()
  const stop = await hop(bench, () => {
    handled += 1
    if (handled === messages) finished.resolve()
  })
  await finished.promise
  const seconds = (performance.now() - startedAt) / 1000
  const cpu = process.cpuUsage(cpuAtStart)
  await stop()
  await emptyQueues()
  return { seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 }
}

/** Puts mailboxes to be decided into the inbox of compliance-lookup. */
async function fill(count: number): Promise<void> {
  const model = await connect(url, { noDelay: true })
  const channel = await model.createConfirmChannel()
  const ids = { organizationId: randomUUID(), syncRunId: randomUUID() }
  for (let sent = 0; sent < count; sent++) {
    const message = createMessage('mailbox.observed', { ...ids, mailboxId: randomUUID() })
    channel.publish(
      EVENTS,
      routingKeyOf('bulk', 'mailbox.observed'),
      Buffer.from(JSON.stringify(message)),
      propertiesOf(message),
    )
    if (sent % 500 === 499) await channel.waitForConfirms()
  }
  await channel.waitForConfirms()
  await model.close()
}

async function emptyQueues(): Promise<void> {
  const model = await connect(url)
  const channel = await model.createChannel()
  for (const service of ['enforcement', 'compliance-lookup'] as const) await channel.purgeQueue(inboxOf(service, 'bulk'))
  await model.close()
}

async function readBrokerVersion(): Promise<string> {
  const model = await connect(url)
  const { version } = model.connection.serverProperties
  await model.close()
  return version
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

function round2(number: number): number {
  return Math.round(number * 100) / 100
}

function print(report: Report): void {
  const { cpuMicrosecondsPerHop: cpu, ratio, ratioToRascal, ratioToRabbitmqClient } = report
  const verdict = (isMet: boolean): string => (isMet ? 'met' : 'MISSED')
  console.table({
    'raw amqplib': { 'messages/s': report.rawPerSecond, 'CPU µs/message': cpu.raw, 'libs/broker ÷ it': ratio },
    'libs/broker': { 'messages/s': report.gatehousePerSecond, 'CPU µs/message': cpu.gatehouse },
    rascal: { 'messages/s': report.rascalPerSecond, 'CPU µs/message': cpu.rascal, 'libs/broker ÷ it': ratioToRascal },
    'rabbitmq-client': {
      'messages/s': report.rabbitmqClientPerSecond,
      'CPU µs/message': cpu.rabbitmqClient,
      'libs/broker ÷ it': ratioToRabbitmqClient,
    },
  })
  console.log(`libs/broker ÷ raw ${ratio}: budget ≥ ${BUDGETS.ratio} ${verdict(ratio >= BUDGETS.ratio)}`)
  const { p50Ms, p99Ms, mostMs } = report.lateness
  console.log(
    `delay ladder late: p50 ${p50Ms} ms, p99 ${p99Ms} ms, most ${mostMs} ms of ${report.lateness.messages}: budget p99 ≤ ${BUDGETS.latenessP99Ms} ms ${verdict(p99Ms <= BUDGETS.latenessP99Ms)}`,
  )
  console.log(`${report.broker}, Node ${report.node}, ${report.machine}; ${report.messages} messages × ${report.rounds} rounds`)
}
