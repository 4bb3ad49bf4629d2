/**
 * Usage: node test/bench/broker.ts [--json] [--messages 20000] [--rounds 5]
 *
 * The same hop (take a message, parse it, handle it, publish what it causes, wait for the confirm, acknowledge) written with
 * plain amqplib, with libs/broker and with rascal, in turn on one broker; and how late the delay ladder is.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect } from 'amqplib'
import {
  applyTopology,
  type BrokerOptions,
  connectBroker,
  EVENTS,
  inboxOf,
  LADDER_STEP_MS,
} from '../../libs/broker/src/index.ts'
import { chooseBroker } from '../../libs/broker/src/local-rabbitmq.ts'
import { createMessage, done, later, MailboxObserved, type MessageOf, routingKeyOf } from '../../libs/messages/src/index.ts'

/** rascal has no types and no named exports. */
type RascalBroker = {
  on(event: 'error', listener: (error: unknown) => void): void
  subscribe(name: string): Promise<{ on(event: 'message', listener: RascalListener): void }>
  publish(name: string, message: object, overrides: object): Promise<{ on(event: 'success', listener: () => void): void }>
  shutdown(): Promise<void>
}
type RascalListener = (raw: unknown, content: string, ackOrNack: () => void) => Promise<void>
const { BrokerAsPromised: Rascal } = createRequire(import.meta.url)('rascal') as {
  BrokerAsPromised: { create(config: object): Promise<RascalBroker> }
}

const IN_HAND = 200
const LATE_MESSAGES = 400
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
/** Starts the hop; `handled` is called once per acknowledged message. Resolves with how to stop it. */
type Hop = (handled: () => void) => Promise<() => Promise<void>>

const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
const broker = await chooseBroker({ env: process.env, directory, log, signal })
const vhost = `bench-${randomUUID().slice(0, 8)}`
const url = `${broker.amqpUrl.replace(/\/$/, '')}/${vhost}`
try {
  await applyTopology({ ...broker, vhost, usersPasswords: {} }, signal)
  const report = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else print(report)
} finally {
  await broker.stop()
  await rm(directory, { recursive: true, force: true })
}

async function measure(): Promise<Report> {
  const hops = { raw: rawHop, gatehouse: gatehouseHop, rascal: rascalHop }
  const measured: Record<keyof typeof hops, Round[]> = { raw: [], gatehouse: [], rascal: [] }
  const names = Object.keys(hops) as (keyof typeof hops)[]
  // The first round warms up the code and the broker and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const [index] of names.entries()) {
      // A different order each round, so that no hop always follows the same one.
      const name = names[(index + round) % names.length] as keyof typeof hops
      const result = await measureHop(hops[name])
      note(
        `round ${round} ${name}: ${Math.round(messages / result.seconds)} messages/s, ${Math.round((result.cpuSeconds * 1e6) / messages)} µs CPU each`,
      )
      if (round > 0) measured[name].push(result)
    }
  const perSecond = (name: keyof typeof hops): number =>
    Math.round(median(measured[name].map(({ seconds }) => messages / seconds)))
  const cpuMicroseconds = (name: keyof typeof hops): number =>
    Math.round(median(measured[name].map(({ cpuSeconds }) => (cpuSeconds * 1e6) / messages)))
  const lateness = await measureLateness()
  const version = await readBrokerVersion()
  return {
    bench: 'broker',
    machine: `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`,
    node: process.version,
    broker: `RabbitMQ ${version} (${broker.kind})`,
    messages,
    rounds,
    inHand: IN_HAND,
    rawPerSecond: perSecond('raw'),
    gatehousePerSecond: perSecond('gatehouse'),
    rascalPerSecond: perSecond('rascal'),
    ratio: round2(median(measured.raw.map((raw, round) => raw.seconds / (measured.gatehouse[round]?.seconds ?? Number.NaN)))),
    ratioToRascal: round2(
      median(measured.rascal.map((rascal, round) => rascal.seconds / (measured.gatehouse[round]?.seconds ?? Number.NaN))),
    ),
    cpuMicrosecondsPerHop: {
      raw: cpuMicroseconds('raw'),
      gatehouse: cpuMicroseconds('gatehouse'),
      rascal: cpuMicroseconds('rascal'),
    },
    lateness,
    budgets: { ratio: 0.8, latenessP99Ms: 100 },
  }
}

type Report = {
  bench: string
  machine: string
  node: string
  broker: string
  messages: number
  rounds: number
  inHand: number
  rawPerSecond: number
  gatehousePerSecond: number
  rascalPerSecond: number
  ratio: number
  ratioToRascal: number
  cpuMicrosecondsPerHop: { raw: number; gatehouse: number; rascal: number }
  lateness: { messages: number; p50Ms: number; p99Ms: number; mostMs: number }
  budgets: { ratio: number; latenessP99Ms: number }
}

async function measureHop(hop: Hop): Promise<Round> {
  await fill(messages)
  const finished = Promise.withResolvers<void>()
  let handled = 0
  const startedAt = performance.now()
  const cpuAtStart = process.cpuUsage()
  const stop = await hop(() => {
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

function propertiesOf(message: { type: string; messageId: string; at: string }) {
  return {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    type: message.type,
    messageId: message.messageId,
    timestamp: Math.floor(Date.parse(message.at) / 1000),
    headers: { 'gh-attempt': 1 },
  }
}

/** What every hop does with a message: the handler. */
function decided(observed: MessageOf<'mailbox.observed'>) {
  const { organizationId, mailboxId, syncRunId } = observed
  return { organizationId, mailboxId, syncRunId, decisionVersion: 1 }
}

async function rawHop(handled: () => void): Promise<() => Promise<void>> {
  const [publishing, consuming] = await Promise.all([connect(url, { noDelay: true }), connect(url, { noDelay: true })])
  const out = await publishing.createConfirmChannel()
  const channel = await consuming.createChannel()
  await channel.prefetch(IN_HAND)
  await channel.consume(inboxOf('compliance-lookup', 'bulk'), (raw) => {
    if (raw === null) throw new Error('Cancelled')
    const observed = MailboxObserved.parse(JSON.parse(raw.content.toString()))
    const message = createMessage('mailbox.decided', decided(observed))
    const content = Buffer.from(JSON.stringify(message))
    out.publish(EVENTS, routingKeyOf('bulk', 'mailbox.decided'), content, propertiesOf(message), (error: unknown) => {
      if (error !== null) throw error
      channel.ack(raw)
      handled()
    })
  })
  return async () => {
    await Promise.all([publishing.close(), consuming.close()])
  }
}

function brokerOptions(): BrokerOptions {
  return {
    url,
    connectionName: 'bench',
    log: { ...log, warn: () => {}, error: (fields, text) => note(`${text} ${JSON.stringify(fields)}`) },
    unconfirmedMax: IN_HAND,
    prefetchMax: IN_HAND,
    maxAttempts: 8,
    laterAgeMsMax: 3_600_000,
  }
}

async function gatehouseHop(handled: () => void): Promise<() => Promise<void>> {
  const gatehouse = await connectBroker({ ...brokerOptions(), metrics: { handled } }, signal)
  await gatehouse.consume({
    service: 'compliance-lookup',
    concurrency: IN_HAND,
    handlerTimeoutMs: 60_000,
    handlers: {
      'mailbox.observed': async (message, context, handlerSignal) => {
        const { lane } = context
        await gatehouse.publish('mailbox.decided', decided(message), { lane, causedBy: context, signal: handlerSignal })
        return done
      },
    },
  })
  return async () => {
    await gatehouse[Symbol.asyncDispose]()
  }
}

async function rascalHop(handled: () => void): Promise<() => Promise<void>> {
  const queue = inboxOf('compliance-lookup', 'bulk')
  const rascal = await Rascal.create({
    vhosts: {
      [vhost]: {
        connection: { url, socketOptions: { noDelay: true } },
        exchanges: { [EVENTS]: { assert: false, check: false } },
        queues: { [queue]: { assert: false, check: false } },
        publicationChannelPools: { confirmPool: { max: 5, min: 1, autostart: true } },
        publications: { decided: { exchange: EVENTS, routingKey: routingKeyOf('bulk', 'mailbox.decided'), confirm: true } },
        subscriptions: { observed: { queue, prefetch: IN_HAND, contentType: 'text/plain' } },
      },
    },
  })
  rascal.on('error', (error) => note(`rascal: ${String(error)}`))
  const subscription = await rascal.subscribe('observed')
  subscription.on('message', async (_raw, content, ackOrNack) => {
    const observed = MailboxObserved.parse(JSON.parse(content))
    const message = createMessage('mailbox.decided', decided(observed))
    const { mandatory, headers, ...options } = propertiesOf(message)
    const publication = await rascal.publish('decided', message, { options: { ...options, mandatory, headers } })
    publication.on('success', () => {
      ackOrNack()
      handled()
    })
  })
  return async () => {
    await rascal.shutdown()
  }
}

/** From the handler's `later` to the moment when the handler sees the message again, less the delay of the ladder. */
async function measureLateness(): Promise<Report['lateness']> {
  const gatehouse = await connectBroker(brokerOptions(), signal)
  const dueAt = new Map<string, number>()
  const late: number[] = []
  const finished = Promise.withResolvers<void>()
  await gatehouse.consume({
    service: 'notification',
    concurrency: IN_HAND,
    handlerTimeoutMs: 60_000,
    handlers: {
      'notification.send-notice': async ({ messageId }) => {
        const due = dueAt.get(messageId)
        if (due === undefined) {
          const delayMs = LADDER_STEP_MS * (1 + Math.floor(Math.random() * 24))
          dueAt.set(messageId, performance.now() + delayMs)
          return later(delayMs, 'bench')
        }
        late.push(performance.now() - due)
        if (late.length === LATE_MESSAGES) finished.resolve()
        return done
      },
    },
  })
  for (let sent = 0; sent < LATE_MESSAGES; sent++) {
    await gatehouse.publish('notification.send-notice', { noticeId: randomUUID() }, { lane: 'bulk', signal })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await finished.promise
  await gatehouse[Symbol.asyncDispose]()
  late.sort((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? Number.NaN)
  return { messages: late.length, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) }
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
  const rows = [
    ['hop', 'messages/s', 'CPU µs/message'],
    ['raw amqplib', String(report.rawPerSecond), String(report.cpuMicrosecondsPerHop.raw)],
    ['libs/broker', String(report.gatehousePerSecond), String(report.cpuMicrosecondsPerHop.gatehouse)],
    ['rascal', String(report.rascalPerSecond), String(report.cpuMicrosecondsPerHop.rascal)],
  ]
  for (const [name, ...cells] of rows)
    console.log(`${(name ?? '').padEnd(14)}${cells.map((cell) => cell.padStart(16)).join('')}`)
  console.log(`\nlibs/broker ÷ raw ${report.ratio} (budget ≥ 0.8); ÷ rascal ${report.ratioToRascal}`)
  const { p50Ms, p99Ms, mostMs } = report.lateness
  console.log(
    `delay ladder late: p50 ${p50Ms} ms, p99 ${p99Ms} ms (budget ≤ 100), most ${mostMs} ms of ${report.lateness.messages}`,
  )
  console.log(`${report.broker}, Node ${report.node}, ${report.machine}; ${report.messages} messages × ${report.rounds} rounds`)
}
