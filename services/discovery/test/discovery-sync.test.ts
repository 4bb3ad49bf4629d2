import { randomUUID } from 'node:crypto'
import { Breaker, type MessageContext } from '@gatehouse/broker'
import { connectExchange, type Exchange } from '@gatehouse/exchange'
import { createMessage, type Outcome } from '@gatehouse/messages'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { AdvisoryLocks, createDatabase, type Store } from '@gatehouse/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import type { DiscoveryDeps, Organization } from '../src/discovery-deps.ts'
import { handleDiscoverySync } from '../src/handle-discovery-sync.ts'

const DEVICES = 60
const log = { debug() {}, info() {}, warn() {}, error() {} }
const context: MessageContext = {
  messageId: randomUUID(),
  lane: 'bulk',
  attempt: 1,
  receivedAt: new Date(),
  redelivered: false,
}
type Published = {
  type: string
  mailboxId?: string
  stage?: string
  counts?: Record<string, number>
  problem?: { code: string }
}

let stack: AsyncDisposableStack
let store: Store
let deps: DiscoveryDeps
let organization: Organization
let simulator: Awaited<ReturnType<typeof startExchangeSimulator>>
let password: string
let simulatorUrl: string
let published: Published[]
let hiddenCmdlets: string[]
let now: number

beforeEach(() => {
  now = Date.now()
  stack = new AsyncDisposableStack()
  hiddenCmdlets = []
})

afterEach(async () => {
  await stack.disposeAsync()
})

async function start(): Promise<void> {
  const database = stack.use(await createTestDatabase())
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 10, onConnectionError: () => {} })
  stack.use(store)
  const population = createPopulation({ devices: DEVICES, seed: 3 })
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0, hiddenCmdlets })
  stack.defer(() => simulator.stop())
  simulatorUrl = simulator.simulatorUrl
  password = simulator.password
  const signal = AbortSignal.timeout(60_000)
  let connected: Promise<Exchange> | undefined
  const connect = () =>
    connectExchange(
      {
        url: simulator.url,
        user: simulator.user,
        password,
        purpose: 'read',
        shells: 2,
        idleTimeoutMs: 60_000,
        cmdletTimeoutMs: 30_000,
        isCasFailoverEnabled: true,
        log,
      },
      signal,
    )
  stack.defer(async () => {
    const [settled] = await Promise.allSettled([connected])
    if (settled.status === 'fulfilled') await settled.value?.[Symbol.asyncDispose]()
  })
  organization = {
    id: randomUUID(),
    name: 'contoso',
    breaker: new Breaker({ now: () => now, random: () => 0 }),
    isParallel: true,
    refusedDevices: undefined,
    noteFailure: () => {},
    connect: async () => {
      connected ??= connect()
      connected.catch(() => {
        connected = undefined
      })
      return await connected
    },
    disconnect: async () => {
      const before = await connected
      connected = undefined
      await before?.[Symbol.asyncDispose]()
    },
  }
  const locks = new AdvisoryLocks({ pool: store.pool, applicationName: 'locks', onLost: () => {} })
  stack.use(locks)
  published = []
  const publish = async (type: string, fields: object) => {
    await Promise.resolve()
    published.push({ type, ...fields })
  }
  deps = {
    organizations: new Map([[organization.id, organization]]),
    pool: store.pool,
    locks,
    broker: { publish: publish as DiscoveryDeps['broker']['publish'] },
    maxAttempts: 3,
    publishMax: 20,
    log,
  }
}

function sync(
  syncType: 'fullSync' | 'deltaSync',
  syncRunId: string = randomUUID(),
  { attempt } = { attempt: 1 },
): Promise<Outcome> {
  published.length = 0
  const message = createMessage('discovery.sync', { organizationId: organization.id, syncType, syncRunId })
  return handleDiscoverySync(message, { ...context, attempt }, deps, AbortSignal.timeout(60_000))
}

async function count(from: string): Promise<number> {
  const { rows } = await store.pool.query<{ count: number }>(`select count(*) as count from ${from}`)
  return rows[0]?.count ?? -1
}

async function change(changes: object): Promise<void> {
  const response = await fetch(`${simulatorUrl}/population-change`, {
    method: 'POST',
    body: JSON.stringify(changes),
    headers: { connection: 'close' },
  })
  if (!response.ok) throw new Error(await response.text())
}

const observed = () => published.filter(({ type }) => type === 'mailbox.observed').map(({ mailboxId }) => mailboxId)
const stages = () => published.filter(({ type }) => type === 'sync.progressed').map(({ stage }) => stage)

describe('a sync of an organisation', () => {
  it('stores every device and mailbox, publishes each mailbox once, then says so', async () => {
    await start()
    const runId = randomUUID()

    expect(await sync('fullSync', runId)).toEqual({ kind: 'done' })

    expect(await count('device_partnerships where vanished_at is null')).toBe(DEVICES)
    const mailboxes = await count('(select distinct mailbox_id from device_partnerships) as owners')
    expect(new Set(observed()).size).toBe(mailboxes)
    expect(observed()).toHaveLength(mailboxes)
    expect(await count(`mailboxes where published_run_id = '${runId}'`)).toBe(mailboxes)
    expect(published.at(-1)).toMatchObject({ stage: 'discovered', counts: { mailboxes, devices: DEVICES } })
    expect(stages()).toEqual(['discovering', 'discovered'])
    expect(await count('exchange_servers where is_client_access_server')).toBeGreaterThan(0)
    expect(await count('device_classes')).toBeGreaterThan(0)
  })

  it('publishes nothing in a quick sync when nothing differs, and only the mailbox that does', async () => {
    await start()
    await sync('fullSync')
    // Devices that were in DeviceDiscovery at first have left it by now.
    await sync('deltaSync')

    await sync('deltaSync')
    expect(observed()).toEqual([])
    const { rows } = await store.pool.query<{ id: string }>('select mailbox_id as id from device_partnerships limit 1')
    const mailbox = rows[0]?.id ?? ''
    await change([{ action: 'set-lists', mailbox, allowed: ['SomethingNew'] }])
    await sync('deltaSync')

    expect(observed()).toEqual([mailbox])
    expect((await store.pool.query('select allowed_device_ids from mailboxes where id = $1', [mailbox])).rows).toEqual([
      { allowed_device_ids: ['SomethingNew'] },
    ])
  })

  it('marks a device that is gone, and publishes its mailbox', async () => {
    await start()
    await sync('fullSync')
    const { rows } = await store.pool.query<{ id: string; mailbox_id: string }>(
      'select id, mailbox_id from device_partnerships limit 1',
    )
    await change([{ action: 'remove-device', device: rows[0]?.id }])

    await sync('deltaSync')

    expect(await count(`device_partnerships where id = '${rows[0]?.id}' and vanished_at is not null`)).toBe(1)
    expect(await count('device_partnerships where vanished_at is null')).toBe(DEVICES - 1)
  })

  it('does not believe a list that has shrunk sharply, unless it is told so twice', async () => {
    await start()
    await sync('fullSync')
    const { rows } = await store.pool.query<{ id: string }>('select id from device_partnerships limit $1', [DEVICES - 10])
    await change(rows.map(({ id }) => ({ action: 'remove-device', device: id })))

    expect(await sync('deltaSync')).toEqual({ kind: 'done' })
    expect(published.at(-1)).toMatchObject({ stage: 'failed', problem: { code: 'exchange-list-shrunk' } })
    expect(await count('device_partnerships where vanished_at is null')).toBe(DEVICES)
    await sync('deltaSync')

    expect(stages()).toEqual(['discovering', 'discovered'])
    expect(await count('device_partnerships where vanished_at is null')).toBe(10)
  })

  it('ends at once when the account may not run what it needs', async () => {
    hiddenCmdlets = ['Get-MobileDevice', 'Get-ActiveSyncDevice']
    await start()

    expect(await sync('fullSync')).toEqual({ kind: 'done' })

    expect(published.at(-1)).toMatchObject({ stage: 'failed', problem: { code: 'cmdlet-not-permitted' } })
    expect(published.at(-1)?.problem).toMatchObject({ message: expect.stringContaining('Get-MobileDevice') as unknown })
  })

  it('connects anew after its password was refused, with the one that is right then', async () => {
    await start()
    await sync('fullSync')
    simulator.changePassword('changed')
    expect(await sync('fullSync')).toEqual({ kind: 'done' })
    expect(published.at(-1)).toMatchObject({ stage: 'failed', problem: { code: 'exchange-authentication-failed' } })

    password = 'changed'
    await sync('fullSync')
    expect(stages()).toEqual(['discovering', 'discovered'])
  })

  it('waits for an Exchange that is dead, without spending attempts, and is done when it is back', async () => {
    await start()
    const setReachable = (isReachable: boolean) =>
      fetch(`${simulatorUrl}/faults`, {
        method: 'POST',
        body: JSON.stringify(isReachable ? {} : { exchange: { unreachable: true } }),
        headers: { connection: 'close' },
      })
    await setReachable(false)
    const runId = randomUUID()

    expect(await sync('fullSync', runId, { attempt: deps.maxAttempts })).toMatchObject({
      kind: 'later',
      reason: 'exchange-paused',
    })
    expect(published.at(-1)).toMatchObject({ stage: 'discovering', problem: { code: expect.any(String) as unknown } })
    expect(await sync('fullSync', runId)).toMatchObject({ kind: 'later', reason: 'exchange-paused' })
    expect(stages()).toEqual([])
    await setReachable(true)
    now += 60_000

    expect(await sync('fullSync', runId)).toEqual({ kind: 'done' })
    expect(stages()).toEqual(['discovering', 'discovered'])
  })

  it('runs once at a time', async () => {
    await start()
    using lock = await deps.locks.tryLock(`discovery:${organization.id}`)
    expect(lock).toBeDefined()

    expect(await sync('fullSync')).toMatchObject({ kind: 'later', reason: 'sync-running' })
  })
})
