import { randomUUID } from 'node:crypto'
import type { MessageContext } from '@gatehouse/broker'
import { connectExchange } from '@gatehouse/exchange'
import { createMessage } from '@gatehouse/messages'
import { createPopulation, type Population, startExchangeSimulator } from '@gatehouse/simulators'
import { readConnectorEpoch } from '@gatehouse/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import type { EnforcementDeps } from '../src/enforcement-deps.ts'
import { ExchangeConnection } from '../src/exchange-connection.ts'
import { handleActOnDevice } from '../src/handle-act-on-device.ts'
import { handleReconcileOrganization } from '../src/handle-reconcile-organization.ts'
import { EnforcementFixture } from './enforcement-fixture.ts'

const signal = AbortSignal.timeout(120_000)
const log = { debug() {}, info() {}, warn() {}, error() {} }
const context: MessageContext = {
  messageId: randomUUID(),
  lane: 'urgent',
  attempt: 1,
  receivedAt: new Date(),
  redelivered: false,
}
let stack: AsyncDisposableStack
let world: EnforcementFixture
let deps: EnforcementDeps
let population: Population
let simulatorUrl: string

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  world = stack.use(await EnforcementFixture.create(stack.use(await createTestDatabase())))
  population = createPopulation({ devices: 30, seed: 5 })
  const simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0 })
  stack.defer(() => simulator.stop())
  simulatorUrl = simulator.simulatorUrl
  const connection = new ExchangeConnection({
    readEpoch: () => readConnectorEpoch(world.store.pool, world.organizationId),
    connect: (connecting) =>
      connectExchange(
        {
          url: simulator.url,
          user: simulator.user,
          password: simulator.password,
          purpose: 'write',
          shells: 1,
          idleTimeoutMs: 60_000,
          cmdletTimeoutMs: 30_000,
          isCasFailoverEnabled: false,
          log,
        },
        connecting,
      ),
    log,
  })
  stack.use(connection)
  deps = { ...world.deps, organizations: new Map([[world.organizationId, { ...world.organization, connection }]]) }
})

afterEach(async () => {
  await stack.disposeAsync()
})

async function readCmdlets(): Promise<Record<string, number>> {
  const response = await fetch(`${simulatorUrl}/state?brief`, { headers: { connection: 'close' } })
  return ((await response.json()) as { cmdlets: Record<string, number> }).cmdlets
}

async function addPartnership(deviceId?: string): Promise<string> {
  const partnership = population.mailboxes.flatMap((mailbox) => mailbox.partnerships)[0]
  if (partnership === undefined) throw new Error('A population without devices')
  await world.sql(
    `insert into device_partnerships (id, organization_id, mailbox_id, device_id, device_type, device_model, device_os,
       device_user_agent, friendly_name, client_type, device_access_state, device_access_state_reason, observed_at)
     values ($1, $2, $3, $4, '', '', '', '', '', 'EAS', 'Allowed', 'Global', now())`,
    [partnership.guid, world.organizationId, randomUUID(), deviceId ?? partnership.deviceId],
  )
  await world.sql("insert into organization_policies values ($1, 'block', true)", [world.organizationId])
  return partnership.guid
}

const createAction = (deviceId: string, action: 'wipe' | 'cancel-wipe' | 'remove') =>
  createMessage('enforcement.act-on-device', { organizationId: world.organizationId, deviceId, action, requestedBy: 'ann' })

const act = (deviceId: string, action: 'wipe' | 'cancel-wipe' | 'remove', received = context) =>
  handleActOnDevice(createAction(deviceId, action), received, deps, signal)

describe('an action on a device', () => {
  it('wipes and removes the device Exchange knows under this id', async () => {
    const device = await addPartnership()

    expect(await act(device, 'wipe')).toEqual({ kind: 'done' })
    expect(await act(device, 'cancel-wipe')).toEqual({ kind: 'done' })
    expect(await act(device, 'remove')).toEqual({ kind: 'done' })
    expect(await act(device, 'remove', { ...context, redelivered: true })).toEqual({ kind: 'done' })

    expect(await readCmdlets()).toMatchObject({ 'Clear-MobileDevice': 2, 'Remove-MobileDevice': 1 })
  })

  it.each(['wipe', 'remove'] as const)('is taken once, however often its message comes: %s', async (action) => {
    const message = createAction(await addPartnership(), action)

    for (let copy = 0; copy < 3; copy++)
      expect(await handleActOnDevice(message, context, deps, signal)).toEqual({ kind: 'done' })

    const cmdlets = await readCmdlets()
    expect((cmdlets['Clear-MobileDevice'] ?? 0) + (cmdlets['Remove-MobileDevice'] ?? 0)).toBe(1)
  })

  it('is sent again soon after its answer was lost, and later left to a person', async () => {
    const message = createAction(await addPartnership(), 'wipe')
    await world.sql(`insert into processed_messages values ('enforcement', $1, now() - interval '1 minute')`, [
      message.messageId,
    ])
    const late = createAction(message.deviceId, 'wipe')
    await world.sql(`insert into processed_messages values ('enforcement', $1, now() - interval '11 minutes')`, [
      late.messageId,
    ])

    expect(await handleActOnDevice(message, context, deps, signal)).toEqual({ kind: 'done' })
    await expect(handleActOnDevice(late, context, deps, signal)).rejects.toMatchObject({ code: 'device-action-uncertain' })

    expect(await readCmdlets()).toMatchObject({ 'Clear-MobileDevice': 1 })
  })

  it('is refused for a device we know by another device id, or not at all', async () => {
    const device = await addPartnership('SomebodyElses')

    await expect(act(device, 'wipe')).rejects.toMatchObject({ code: 'exchange-identity-mismatch' })
    await expect(act(randomUUID(), 'wipe')).rejects.toMatchObject({ code: 'device-unknown' })
    expect(await readCmdlets()).not.toHaveProperty('Clear-MobileDevice')
  })

  it('is refused in report-only mode, rather than silently not done', async () => {
    const device = await addPartnership()
    await world.sql('update organizations set report_only = true')

    await expect(act(device, 'wipe')).rejects.toMatchObject({ code: 'report-only' })
  })
})

describe('the settings of an organisation', () => {
  const reconcile = () =>
    handleReconcileOrganization(
      createMessage('enforcement.reconcile-organization', { organizationId: world.organizationId }),
      context,
      deps,
      signal,
    )

  it('are brought to the policy once', async () => {
    await addPartnership()
    await world.sql("insert into platform_exceptions values ($1, 'DeviceType', 'GatehouseTestPad', 'allow')", [
      world.organizationId,
    ])

    for (const _ of [1, 2]) expect(await reconcile()).toEqual({ kind: 'done' })

    expect(await readCmdlets()).toMatchObject({
      'New-ActiveSyncDeviceAccessRule': 1,
      'Set-ActiveSyncOrganizationSettings': 1,
      'Get-ActiveSyncOrganizationSettings': 2,
    })
  })

  it('are left alone where they are not ours to manage, and not written in report-only mode', async () => {
    await addPartnership()
    await world.sql('update organization_policies set manage_organization_settings = false')
    expect(await reconcile()).toEqual({ kind: 'done' })
    await world.sql('update organization_policies set manage_organization_settings = true')
    await world.sql('update organizations set report_only = true')
    expect(await reconcile()).toEqual({ kind: 'done' })

    expect(await readCmdlets()).not.toHaveProperty('Set-ActiveSyncOrganizationSettings')
  })
})
