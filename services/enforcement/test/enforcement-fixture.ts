import { randomUUID } from 'node:crypto'
import { Breaker, type MessageContext } from '@gatehouse/broker'
import type { AccessChangePlan, CasMailbox, Exchange } from '@gatehouse/exchange'
import { createMessage, type MessageOf, type MessageType, type Outcome } from '@gatehouse/messages'
import { AdvisoryLocks, createDatabase, layOver, readConnectorEpoch, type Store } from '@gatehouse/store'
import type { TestDatabase } from '../../../test/environment/create-test-database.ts'
import type { EnforcementDeps } from '../src/enforcement-deps.ts'
import { createEnforcementStore } from '../src/enforcement-store.ts'
import { ExchangeConnection } from '../src/exchange-connection.ts'
import { handleMailboxDecided } from '../src/handle-mailbox-decided.ts'
import type { Organization } from '../src/organization.ts'
import { Slots } from '../src/slots.ts'
import { Turns } from '../src/turns.ts'

type Exemption = 'allow' | 'block' | 'none'

/** Stands for Exchange: the lists of its mailboxes, and what it is told to do wrong. */
class ExchangeDouble {
  readonly lists = new Map<string, { allowed: readonly string[]; blocked: readonly string[] }>()
  readonly sent: string[] = []
  /** Thrown by the next write, before or after it took effect. */
  failWrite: { error: Error; isApplied: boolean } | undefined
  connectError: Error | undefined
  connects = 0
  shellsAllowed = 12
  onWrite: (() => Promise<void>) | undefined

  connect(): Promise<Exchange> {
    this.connects++
    if (this.connectError !== undefined) return Promise.reject(this.connectError)
    const readCasMailbox = (guid: string): Promise<CasMailbox> => {
      this.sent.push('Get-CASMailbox')
      const { allowed, blocked } = this.lists.get(guid) ?? { allowed: [], blocked: [] }
      return Promise.resolve({ guid, allowedDeviceIds: [...allowed], blockedDeviceIds: [...blocked] } as unknown as CasMailbox)
    }
    const setCasMailbox = async (guid: string, plan: AccessChangePlan) => {
      this.sent.push('Set-CASMailbox')
      await this.onWrite?.()
      const failure = this.failWrite
      this.failWrite = undefined
      if (failure === undefined || failure.isApplied)
        this.lists.set(guid, layOver(this.lists.get(guid) ?? { allowed: [], blocked: [] }, plan))
      if (failure !== undefined) throw failure.error
      return { durationMs: 5 }
    }
    const dispose = { [Symbol.asyncDispose]: () => Promise.resolve() }
    const stats = () => ({ shellsAllowed: this.shellsAllowed })
    return Promise.resolve({ readCasMailbox, setCasMailbox, stats, ...dispose } as unknown as Exchange)
  }
}

export type Published = {
  [T in MessageType]: { type: T } & Omit<MessageOf<T>, 'version' | 'messageId' | 'at' | 'type'>
}[MessageType]

/** One organisation of a database that tests may share, without a broker: what would be published is kept. */
export class EnforcementFixture implements AsyncDisposable {
  readonly exchange = new ExchangeDouble()
  readonly published: Published[] = []
  readonly organizationId = randomUUID()
  now = Date.now()
  readonly store: Store
  readonly deps: EnforcementDeps
  readonly organization: Organization
  readonly #stack: AsyncDisposableStack

  private constructor(store: Store, stack: AsyncDisposableStack) {
    this.store = store
    this.#stack = stack
    const log = { info() {}, warn() {}, debug() {} }
    const { organizationId: id } = this
    const connection = new ExchangeConnection({
      readEpoch: () => readConnectorEpoch(store.pool, id),
      connect: () => this.exchange.connect(),
      log,
    })
    stack.use(connection)
    const breaker = new Breaker({ now: () => this.now, random: () => 0 })
    this.organization = {
      id,
      name: 'contoso',
      connection,
      breaker,
      noticeWaitMs: 900_000,
      inHandMax: 100,
      runspaces: 12,
      noteFailure: () => {},
      inHand: 0,
      turns: new Turns(),
      writeMs: undefined,
    }
    const locks = new AdvisoryLocks({ pool: store.pool, applicationName: 'locks', onLost: () => {} })
    stack.use(locks)
    const publish = async (type: MessageType, fields: object) => {
      await Promise.resolve()
      this.published.push({ ...fields, type } as Published)
    }
    this.deps = {
      organizations: new Map([[id, this.organization]]),
      slots: new Slots({ max: 250, now: () => this.now }),
      pool: store.pool,
      store: createEnforcementStore(store.pool),
      locks,
      broker: { publish: publish as EnforcementDeps['broker']['publish'] },
      maxAttempts: 3,
      log,
    }
  }

  static async create(database: TestDatabase): Promise<EnforcementFixture> {
    await using stack = new AsyncDisposableStack()
    const store = createDatabase({
      url: database.url,
      applicationName: 'test',
      connectionsMax: 10,
      onConnectionError: () => {},
    })
    stack.use(store)
    const fixture = new EnforcementFixture(store, stack.move())
    const { organizationId } = fixture
    await fixture.sql('insert into organizations (id, name, report_only) values ($1, $2, false)', [
      organizationId,
      organizationId,
    ])
    await fixture.sql("insert into connectors (organization_id, epoch, status) values ($1, 1, 'connected')", [organizationId])
    return fixture
  }

  async sql<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.store.pool.query<Row>(text, values)).rows
  }

  async addRun(brake = 'released'): Promise<string> {
    const id = randomUUID()
    await this.sql(
      `insert into sync_runs (id, organization_id, sync_type, cause, status, brake, brake_limit, started_at)
       values ($1, $2, 'fullSync', 'test', 'running', $3, 20, now())`,
      [id, this.organizationId, brake],
    )
    return id
  }

  /** A mailbox as discovery has just seen it. */
  async addMailbox(lists: { allowed?: string[]; blocked?: string[] } = {}): Promise<string> {
    const id = randomUUID()
    this.exchange.lists.set(id, { allowed: lists.allowed ?? [], blocked: lists.blocked ?? [] })
    await this.sql(
      `insert into mailboxes (id, organization_id, distinguished_name, primary_smtp_address, display_name, active_sync_enabled,
         allowed_device_ids, blocked_device_ids, observed_at)
       values ($1, $2, 'CN=ann', 'ann@contoso.com', 'Ann', true, '{}', '{}', clock_timestamp())`,
      [id, this.organizationId],
    )
    await this.observe(id)
    return id
  }

  /** What discovery does: stores the lists Exchange has now. */
  async observe(mailboxId: string): Promise<void> {
    const { allowed, blocked } = this.exchange.lists.get(mailboxId) ?? { allowed: [], blocked: [] }
    await this.sql(
      'update mailboxes set allowed_device_ids = $2, blocked_device_ids = $3, observed_at = clock_timestamp() where id = $1',
      [mailboxId, allowed, blocked],
    )
  }

  /** What compliance-lookup does: stores what is wanted for each device, and gives the message. */
  async decide(mailboxId: string, devices: Record<string, Exemption>, runId?: string): Promise<MessageOf<'mailbox.decided'>> {
    const [version] = await this.sql<{ version: number }>("select nextval('decision_versions') as version")
    const decisionVersion = version?.version ?? 0
    for (const [deviceId, exemption] of Object.entries(devices)) {
      const [known] = await this.sql<{ id: string }>(
        'select id from device_partnerships where mailbox_id = $1 and device_id = $2',
        [mailboxId, deviceId],
      )
      const id = known?.id ?? randomUUID()
      if (known === undefined)
        await this.sql(
          `insert into device_partnerships (id, organization_id, mailbox_id, device_id, device_type, device_model, device_os,
             device_user_agent, friendly_name, client_type, device_access_state, device_access_state_reason, observed_at)
           values ($1, $2, $3, $4, 'iPhone', '', '', '', '', 'EAS', 'Quarantined', 'Global', now())`,
          [id, this.organizationId, mailboxId, deviceId],
        )
      await this.sql(
        `insert into decisions values ($1, $2, $3, $4, 'allow', $5, 'test', '{}', $6, now())
         on conflict (partnership_id) do update set exemption = excluded.exemption, decision_version = excluded.decision_version`,
        [id, this.organizationId, mailboxId, deviceId, exemption, decisionVersion],
      )
    }
    const syncRunId = runId ?? (await this.addRun())
    await this.sql(
      `insert into mailbox_decisions values ($1, $2, $3, $4, 0, now())
       on conflict (mailbox_id) do update set decision_version = excluded.decision_version, sync_run_id = excluded.sync_run_id`,
      [mailboxId, this.organizationId, decisionVersion, syncRunId],
    )
    return createMessage('mailbox.decided', { organizationId: this.organizationId, mailboxId, decisionVersion, syncRunId })
  }

  handle(message: MessageOf<'mailbox.decided'>, context: Partial<MessageContext> = {}): Promise<Outcome> {
    const received: MessageContext = {
      messageId: message.messageId,
      lane: 'bulk',
      attempt: 1,
      receivedAt: new Date(),
      redelivered: false,
      ...context,
    }
    return handleMailboxDecided(message, received, this.deps, AbortSignal.timeout(30_000))
  }

  async changes(mailboxId: string): Promise<{ id: string; state: string; problem: { code: string } | null }[]> {
    return await this.sql('select id, state, problem from access_changes where mailbox_id = $1 order by created_at', [
      mailboxId,
    ])
  }

  async own(mailboxId: string): Promise<string[]> {
    const rows = await this.sql<{ entry: string }>(
      "select list || ':' || device_id as entry from own_exemptions where mailbox_id = $1 order by 1",
      [mailboxId],
    )
    return rows.map(({ entry }) => entry)
  }

  async outcomeOf(mailboxId: string): Promise<string | undefined> {
    return (
      await this.sql<{ outcome: string }>('select outcome from mailbox_enforcements where mailbox_id = $1', [mailboxId])
    )[0]?.outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
