import { randomUUID } from 'node:crypto'
import type { MessageContext } from '@gatehouse/broker'
import { createMessage, type Lane, type MessageOf, type MessageType, type Outcome } from '@gatehouse/messages'
import { AdvisoryLocks, createDatabase, readRunReadiness, type Store } from '@gatehouse/store'
import { until } from '../../../test/environment/until.ts'
import type { ComplianceLookupDeps } from '../src/compliance-lookup-deps.ts'
import { decideMailbox } from '../src/decide-mailbox.ts'
import { createDecisionStore } from '../src/decision-store.ts'
import { handleRefresh } from '../src/handle-refresh.ts'
import { createRefreshGate } from '../src/refresh-gate.ts'
import { GraphDouble } from './graph-double.ts'

export const INCLUDED = '11111111-1111-4111-8111-111111111111'
export const EXCLUDED = '22222222-2222-4222-8222-222222222222'
const MAX_ATTEMPTS = 3

export type Published = {
  [T in MessageType]: { type: T; lane: Lane } & Omit<MessageOf<T>, 'version' | 'messageId' | 'at' | 'type'>
}[MessageType]

export type DecisionRow = { device_id: string; access: string; exemption: string; reason: string }

const HELD_LOCKS = `select 1 from pg_locks l join pg_database d on d.oid = l.database
  where l.locktype = 'advisory' and d.datname = current_database()`

/** Everything a test can have left behind, in an order that foreign keys do not mind. */
const TABLES =
  'own_exemptions, access_changes, decisions, mailbox_decisions, graph_cursors, group_members, directory_users, managed_devices, ' +
  'device_partnerships, mailboxes, sync_runs, organization_policies, policies, organizations'

/** One organisation and a policy in a database that is emptied first, a scripted Graph, and no broker: what is published is kept. */
export class ComplianceLookupFixture implements AsyncDisposable {
  readonly graph = new GraphDouble()
  readonly published: Published[] = []
  readonly organizationId = randomUUID()
  readonly store: Store
  readonly #stack: AsyncDisposableStack
  #policyVersion = 0

  private constructor(store: Store, stack: AsyncDisposableStack) {
    this.store = store
    this.#stack = stack
  }

  static async create(databaseUrl: string): Promise<ComplianceLookupFixture> {
    await using stack = new AsyncDisposableStack()
    const store = stack.use(
      createDatabase({ url: databaseUrl, applicationName: 'test', connectionsMax: 8, onConnectionError: () => {} }),
    )
    await store.pool.query(`truncate ${TABLES} cascade`)
    const fixture = new ComplianceLookupFixture(store, stack.move())
    await fixture.addOrganization(fixture.organizationId, 'contoso')
    await fixture.setPolicy({})
    return fixture
  }

  /** What one copy of the worker works with; each has locks of its own. */
  createCopy(): ComplianceLookupDeps {
    const { store } = this
    const locks = this.#stack.use(new AdvisoryLocks({ pool: store.pool, applicationName: 'locks', onLost: () => {} }))
    return {
      pool: store.pool,
      db: store.db,
      locks,
      broker: {
        publish: (type, fields, { lane }) => {
          // Parsed as the broker does it, so that a field it would refuse fails the test.
          createMessage(type, fields)
          this.published.push({ ...fields, type, lane } as unknown as Published)
          return Promise.resolve()
        },
      },
      graph: this.graph,
      noteFailure: () => {},
      gate: createRefreshGate({ read: (id) => readRunReadiness(store.pool, id), waitMs: 0, pollMs: 1 }),
      maxAttempts: MAX_ATTEMPTS,
      decisions: createDecisionStore({ pool: store.pool, missingRefreshesMax: 2 }),
      shrinkPercentMax: 50,
      log: { info() {}, warn() {} },
    }
  }

  async addOrganization(id: string, name: string): Promise<void> {
    const { pool } = this.store
    await pool.query('insert into organizations (id, name, report_only) values ($1, $2, false)', [id, name])
    await pool.query(`insert into organization_policies values ($1, 'quarantine', false)`, [id])
  }

  async setPolicy(o: { included?: string[]; excluded?: string[]; override?: boolean }): Promise<void> {
    this.#policyVersion += 1
    await this.store.pool.query(
      `insert into policies (version, enabled, included_groups, excluded_groups, override_default_rule, unknown_compliance, created_by)
       values ($1, true, $2, $3, $4, 'noncompliant', 'test')`,
      [this.#policyVersion, o.included ?? [INCLUDED], o.excluded ?? [EXCLUDED], o.override ?? true],
    )
  }

  async startRun(syncType: 'fullSync' | 'deltaSync', organizationId = this.organizationId): Promise<string> {
    const id = randomUUID()
    await this.store.pool.query(
      `insert into sync_runs (id, organization_id, sync_type, cause, status, brake, brake_limit, started_at)
       values ($1, $2, $3, 'test', 'running', 'counting', 0, clock_timestamp())`,
      [id, organizationId, syncType],
    )
    return id
  }

  async addMailbox(
    address: string,
    deviceIds: readonly string[],
    o: { allowed?: string[]; blocked?: string[]; organizationId?: string } = {},
  ): Promise<string> {
    const id = randomUUID()
    const organizationId = o.organizationId ?? this.organizationId
    await this.store.pool.query(
      `insert into mailboxes (id, organization_id, distinguished_name, primary_smtp_address, display_name, active_sync_enabled,
         allowed_device_ids, blocked_device_ids, observed_at) values ($1, $2, 'CN=x', $3, 'x', true, $4, $5, clock_timestamp())`,
      [id, organizationId, address, o.allowed ?? [], o.blocked ?? []],
    )
    for (const deviceId of deviceIds) {
      await this.store.pool.query(
        `insert into device_partnerships (id, organization_id, mailbox_id, device_id, device_type, device_model, device_os,
           device_user_agent, friendly_name, client_type, device_access_state, device_access_state_reason, observed_at)
         values ($1, $2, $3, $4, 'iPhone', 'iPhone15C2', '', '', '', 'EAS', 'Quarantined', 'Global', clock_timestamp())`,
        [randomUUID(), organizationId, id, deviceId],
      )
    }
    return id
  }

  async addChange(
    mailboxId: string,
    state: 'writing' | 'written',
    plan: Partial<Record<'allowAdd' | 'allowRemove' | 'blockAdd' | 'blockRemove', string[]>>,
  ): Promise<void> {
    const whole = { allowAdd: [], allowRemove: [], blockAdd: [], blockRemove: [], ...plan }
    await this.store.pool.query(
      `insert into access_changes (id, organization_id, mailbox_id, decision_version, state, plan, old_allowed, old_blocked,
         new_allowed, new_blocked, cmdlet, written_at)
       values ($1, $2, $3, 1, $4::text, $5, '{}', '{}', '{}', '{}', '', case when $4::text = 'written' then clock_timestamp() end)`,
      [randomUUID(), this.organizationId, mailboxId, state, JSON.stringify(whole)],
    )
  }

  async addOwnEntry(mailboxId: string, list: 'allow' | 'block', deviceId: string): Promise<void> {
    await this.store.pool.query('insert into own_exemptions values ($1, $2, $3, $4, $5, clock_timestamp())', [
      mailboxId,
      deviceId.toLowerCase(),
      list,
      deviceId,
      randomUUID(),
    ])
  }

  async refresh(
    kind: 'full' | 'delta',
    o: { run?: string; deps?: ComplianceLookupDeps; attempt?: number } = {},
  ): Promise<{ run: string; outcome: Outcome }> {
    const run = o.run ?? (await this.startRun(kind === 'full' ? 'fullSync' : 'deltaSync'))
    const message = createMessage('compliance-lookup.refresh', { kind, syncRunId: run })
    const context = this.#context(o.attempt)
    const outcome = await handleRefresh(message, context, o.deps ?? this.createCopy(), AbortSignal.timeout(20_000))
    // A lock is given back without waiting for PostgreSQL to say so; the next copy must find it free.
    if (outcome.kind === 'done') await until(async () => (await this.query(HELD_LOCKS)).length === 0)
    return { run, outcome }
  }

  async decide(mailboxId: string, run: string, deps = this.createCopy()): Promise<Outcome> {
    const mailbox = { organizationId: this.organizationId, mailboxId, syncRunId: run }
    return await decideMailbox(mailbox, this.#context(), deps, AbortSignal.timeout(20_000))
  }

  async readDecisions(mailboxId: string): Promise<DecisionRow[]> {
    const { rows } = await this.store.pool.query<DecisionRow>(
      'select device_id, access, exemption, reason from decisions where mailbox_id = $1 order by device_id',
      [mailboxId],
    )
    return rows
  }

  async readReasons(mailboxId: string): Promise<Record<string, string>> {
    return Object.fromEntries((await this.readDecisions(mailboxId)).map((row) => [row.device_id, row.reason]))
  }

  async query<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.store.pool.query<T>(text, values)).rows
  }

  publishedOf<T extends MessageType>(type: T): Extract<Published, { type: T }>[] {
    return this.published.filter((one): one is Extract<Published, { type: T }> => one.type === type)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  #context(attempt = 1): MessageContext {
    return { messageId: randomUUID(), lane: 'bulk', attempt, receivedAt: new Date(), redelivered: false }
  }
}
