import { randomUUID } from 'node:crypto'
import { createDatabase, type Store } from '@gatehouse/store'
import { Tracer } from '@gatehouse/tracing'
import { loadSettings, organizationIdOf } from '@gatehouse/worker'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import type { ControlDeps } from '../src/control-deps.ts'

export const ORGANIZATION = organizationIdOf('contoso')

export type Published = { type: string; fields: Record<string, unknown> }

export type Fixture = AsyncDisposable & {
  store: Store
  published: Published[]
  /** The dependencies of one copy of control, with the policy's included groups and report-only mode as given. */
  createDeps(options?: { groups?: string[]; reportOnly?: boolean; at?: Date; organizations?: string[] }): ControlDeps
  clear(): Promise<void>
}

/** A database of its own and a broker that only remembers. */
export async function startFixture(): Promise<Fixture> {
  const database = await createTestDatabase()
  const store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 10, onConnectionError: () => {} })
  const published: Published[] = []
  const broker = {
    publish: (type: string, fields: object) => {
      published.push({ type, fields: { ...fields } })
      return Promise.resolve()
    },
  }
  return {
    store,
    published,
    createDeps: (options = {}) => ({
      db: store.db,
      broker,
      settings: createSettings(options),
      tracer: new Tracer(),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      now: () => options.at ?? new Date(),
    }),
    clear: async () => {
      published.length = 0
      await store.pool.query(
        `truncate organizations, connectors, policies, organization_policies, platform_exceptions, message_templates, sync_runs,
         mailboxes, device_partnerships, decisions, mailbox_decisions, mailbox_enforcements, access_changes, own_exemptions,
         managed_devices, directory_users, group_members, notices, exchange_servers, audit, worker_states`,
      )
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

export function createSettings(options: { groups?: string[]; reportOnly?: boolean; organizations?: string[] }) {
  const organizations = (options.organizations ?? ['contoso']).map((name) => ({
    name,
    exchange: { url: 'https://mail.contoso.com/powershell', user: 'u', passwordFile: '/secret' },
    mail: { exchangeWebServiceURL: 'https://mail.contoso.com/EWS/Exchange.asmx', user: 'u', passwordFile: '/secret' },
    reportOnly: options.reportOnly ?? false,
    platformExceptions: [{ characteristic: 'DeviceType', queryString: 'TestType', accessLevel: 'block' }],
    templates: { fr: { subject: 'Sujet', body: 'Corps' } },
  }))
  const settings = {
    database: { url: 'postgres://localhost/unused' },
    broker: { url: 'amqp://localhost/unused' },
    graph: { tenantId: randomUUID(), clientId: randomUUID(), clientSecretFile: '/secret' },
    policy: { includedGroups: options.groups ?? [] },
    organizations,
    control: { tokenFile: '/secret' },
  }
  return loadSettings({ text: JSON.stringify(settings), env: {} })
}

export type MailboxSeed = {
  runId?: string
  blocked?: string[]
  decided?: { runId?: string; wouldBlock?: number; version?: number }
  enforced?: { outcome?: 'written' | 'unchanged' | 'failed'; version?: number }
}

/** A mailbox with one device, published, decided and enforced as far as the seed says. */
export async function insertMailbox({ db }: Store, seed: MailboxSeed): Promise<{ mailboxId: string; partnershipId: string }> {
  const mailboxId = randomUUID()
  const partnershipId = randomUUID()
  const at = new Date()
  const ids = { organization_id: ORGANIZATION, mailbox_id: mailboxId }
  await db
    .insertInto('mailboxes')
    .values({
      id: mailboxId,
      organization_id: ORGANIZATION,
      distinguished_name: `CN=${mailboxId}`,
      primary_smtp_address: `${mailboxId}@contoso.com`,
      display_name: '100%_Zoé',
      active_sync_enabled: true,
      allowed_device_ids: [],
      blocked_device_ids: seed.blocked ?? [],
      observed_at: new Date(at.getTime() - 60_000),
      published_run_id: seed.runId ?? null,
    })
    .execute()
  await db
    .insertInto('device_partnerships')
    .values({
      ...ids,
      id: partnershipId,
      device_id: `DEV${mailboxId.slice(0, 8)}`,
      device_type: 'iPhone',
      device_model: 'iPhone16C2',
      device_os: 'iOS 18',
      device_user_agent: 'Apple-iPhone',
      friendly_name: "Robert'); drop table audit; --",
      client_type: 'EAS',
      device_access_state: 'Quarantined',
      device_access_state_reason: 'Global',
      observed_at: at,
    })
    .execute()
  if (seed.decided !== undefined) {
    const version = seed.decided.version ?? 1
    await db
      .insertInto('mailbox_decisions')
      .values({
        ...ids,
        decision_version: version,
        sync_run_id: seed.decided.runId ?? seed.runId ?? null,
        would_block: seed.decided.wouldBlock ?? 0,
        decided_at: at,
      })
      .execute()
    await db
      .insertInto('decisions')
      .values({
        ...ids,
        partnership_id: partnershipId,
        device_id: 'x',
        access: 'block',
        exemption: 'block',
        reason: 'noncompliant',
        inputs: '{}',
        decision_version: version,
        decided_at: at,
      })
      .execute()
  }
  if (seed.enforced !== undefined) {
    await db
      .insertInto('mailbox_enforcements')
      .values({ ...ids, decision_version: seed.enforced.version ?? 1, outcome: seed.enforced.outcome ?? 'written', at })
      .execute()
  }
  return { mailboxId, partnershipId }
}
