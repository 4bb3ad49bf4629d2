import { randomUUID } from 'node:crypto'
import { type BrokerConnection, type Consumer, connectBroker, type MessageContext, putDeadLetter } from '@gatehouse/broker'
import { createMessage, type NotificationSendNotice, type Outcome, routingKeyOf } from '@gatehouse/messages'
import { AdvisoryLocks } from '@gatehouse/store'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { createVhost, type TestVhost } from '../../../test/environment/create-vhost.ts'
import { until } from '../../../test/environment/until.ts'
import { startApi } from '../src/api/start-api.ts'
import type { DeadLetterDeps } from '../src/dead-letters/dead-letter-deps.ts'
import { type Replayer, startReplayer } from '../src/dead-letters/start-replayer.ts'
import { type Fixture, startFixture } from './control-fixture.ts'

const TOKEN = 'a-token-of-the-test'
const LOG = { debug() {}, info() {}, warn() {}, error() {} }

export type Answer = { status: number; body: Record<string, unknown> & { value: Record<string, unknown>[] } }

/** One copy of control's dead-letter part, with its API, on a real broker and database, connected as control's user. */
export class DeadLetterFixture implements AsyncDisposable {
  readonly vhost: TestVhost
  readonly store: Fixture['store']
  readonly deps: DeadLetterDeps
  readonly control: BrokerConnection
  readonly signal: AbortSignal
  private readonly stack: AsyncDisposableStack
  private api: { url: string } | undefined
  private replayer: Replayer | undefined

  private constructor(
    parts: { vhost: TestVhost; fixture: Fixture; control: BrokerConnection; deps: DeadLetterDeps; signal: AbortSignal },
    stack: AsyncDisposableStack,
  ) {
    this.vhost = parts.vhost
    this.store = parts.fixture.store
    this.control = parts.control
    this.deps = parts.deps
    this.signal = parts.signal
    this.stack = stack
  }

  static async start(): Promise<DeadLetterFixture> {
    await using stack = new AsyncDisposableStack()
    const abort = new AbortController()
    stack.defer(() => abort.abort(new Error('The test has ended')))
    const fixture = stack.use(await startFixture())
    const vhost = stack.use(await createVhost())
    const control = stack.use(await connect(vhost, 'control', abort.signal))
    const locks = stack.use(new AdvisoryLocks({ pool: fixture.store.pool, applicationName: 'test-locks', onLost: () => {} }))
    const { db, pool } = fixture.store
    const deps: DeadLetterDeps = { db, pool, broker: control, locks, log: LOG, now: () => new Date() }
    const started = new DeadLetterFixture({ vhost, fixture, control, deps, signal: abort.signal }, stack.move())
    started.replayer = started.startReplayer()
    const api = await startApi(
      { host: '127.0.0.1', port: 0, readTokens: () => [TOKEN] },
      {
        ...fixture.createDeps(),
        deadLetters: deps,
        readDepths: () => Promise.resolve(new Map()),
        wake: () => {},
        wakeReplayer: () => started.replayer?.wake(),
        signal: abort.signal,
      },
    )
    started.api = started.stack.use(api)
    return started
  }

  /** The runner of replays, which a test may stop and start again. */
  startReplayer(): Replayer {
    this.replayer = startReplayer(this.deps, this.signal)
    const { replayer } = this
    this.stack.defer(() => replayer[Symbol.asyncDispose]())
    return replayer
  }

  async stopReplayer(): Promise<void> {
    await this.replayer?.[Symbol.asyncDispose]()
  }

  async call(method: 'GET' | 'POST', path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const { text, status } = await this.callText(method, path, body, headers)
    return { status, body: JSON.parse(text) }
  }

  async callText(method: 'GET' | 'POST', path: string, body?: unknown, headers: Record<string, string> = {}) {
    const isText = typeof body === 'string'
    const answer = await fetch(`${this.api?.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        connection: 'close',
        ...(body === undefined ? {} : { 'content-type': isText ? 'application/x-ndjson' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    })
    return { status: answer.status, text: await answer.text() }
  }

  /** Puts dead commands to send a notice into notification's dead queue; answers their message ids. */
  async bury(count: number, headers: Record<string, string | number> = {}): Promise<string[]> {
    const messages = Array.from({ length: count }, () => createMessage('notification.send-notice', { noticeId: randomUUID() }))
    const routingKey = routingKeyOf('bulk', 'notification.send-notice')
    for (const message of messages)
      await this.buryRaw({
        messageId: message.messageId,
        type: message.type,
        content: Buffer.from(JSON.stringify(message)),
        headers: {
          'gh-origin-exchange': 'gh.commands',
          'gh-origin-key': routingKey,
          'gh-attempt': 8,
          'gh-reason': 'attempts-exhausted',
          'gh-error-code': 'mail-refused',
          'gh-error-class': 'RetryableError',
          'gh-error-message': 'The server does not want it',
          'gh-handler': message.type,
          'gh-queue': 'gh.notification',
          'gh-dead-at': '2026-11-26T10:00:00.000Z',
          ...headers,
        },
      })
    return messages.map(({ messageId }) => messageId)
  }

  async buryRaw(letter: {
    messageId: string
    type: string
    content: Buffer
    headers?: Record<string, string | number>
  }): Promise<void> {
    const before = await this.depth()
    await putDeadLetter(this.control, { service: 'notification', headers: {}, ...letter }, this.signal)
    await until(async () => (await this.depth()) > before)
  }

  /** Ready messages of a queue. */
  async depth(queue = 'gh.notification.dead'): Promise<number> {
    const channel = await this.control.openChannel(this.signal)
    const { messageCount } = await channel.checkQueue(queue)
    await channel.close()
    return messageCount
  }

  /** Handles notices as notification does; resolves to what it has seen, by message id. */
  async handle(
    handle: (message: NotificationSendNotice, context: MessageContext) => Outcome | Promise<Outcome>,
  ): Promise<Consumer & { seen: MessageContext[] }> {
    const seen: MessageContext[] = []
    const broker = await connect(this.vhost, 'notification', this.signal)
    const consumer = await broker.consume({
      service: 'notification',
      concurrency: 10,
      handlerTimeoutMs: 60_000,
      handlers: {
        'notification.send-notice': async (message, context) => {
          seen.push(context)
          return await handle(message, context)
        },
      },
    })
    const dispose = async (): Promise<void> => {
      await consumer[Symbol.asyncDispose]()
      await broker[Symbol.asyncDispose]()
    }
    this.stack.defer(dispose)
    return { stats: () => consumer.stats(), seen, [Symbol.asyncDispose]: dispose }
  }

  /** Waits until the replay has ended, and answers it. */
  async ended(replayId: unknown): Promise<Record<string, unknown>> {
    let replay: Record<string, unknown> = {}
    await until(async () => {
      replay = (await this.call('GET', `/api/replays/${replayId}`)).body
      return replay['state'] !== 'running'
    })
    return replay
  }

  async clear(): Promise<void> {
    // A replay of the test before may still hold letters, which would be there again after the purge.
    await this.stopReplayer()
    await this.store.pool.query('truncate replays, discarded_letters, dead_letter_actions')
    for (const queue of ['gh.notification.dead', 'gh.notification']) await this.vhost.purge(queue)
    this.startReplayer()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopReplayer()
    await this.stack.disposeAsync()
  }
}

/** For a test file: the fixture from before its first test until after its last, cleared before each. */
export function useDeadLetters(take: (fixture: DeadLetterFixture) => void): void {
  let fixture: DeadLetterFixture | undefined
  beforeAll(async () => {
    fixture = await DeadLetterFixture.start()
    take(fixture)
  })
  afterAll(async () => {
    await fixture?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await fixture?.clear()
  })
}

async function connect(vhost: TestVhost, service: string, signal: AbortSignal): Promise<BrokerConnection> {
  const user = `${vhost.userPrefix}${service}`
  return await connectBroker(
    {
      url: vhost.amqpUrl,
      user,
      password: user,
      connectionName: service,
      log: LOG,
      unconfirmedMax: 200,
      prefetchMax: 50,
      maxAttempts: 2,
      laterAgeMsMax: 60_000,
      retry: { backoffBaseMs: 50, backoffCapMs: 100 },
    },
    signal,
  )
}
