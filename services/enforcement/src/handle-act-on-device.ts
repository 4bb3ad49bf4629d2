import type { MessageContext } from '@gatehouse/broker'
import type { Exchange, SetOptions } from '@gatehouse/exchange'
import { done, type EnforcementActOnDevice, later, type Outcome, PermanentError } from '@gatehouse/messages'
import { readOrganizationToReconcile, readPartnershipDeviceId } from '@gatehouse/store'
import { actOnce, wasActedOn } from './act-once.ts'
import type { EnforcementDeps } from './enforcement-deps.ts'
import { withExchange } from './with-exchange.ts'

const NOT_READY_MS = 2_000
const BUSY_MS = 1_000
/** A wish to wipe that was lost and found again: the phone may have come to somebody else since. */
const AGE_MS_MAX = 24 * 3_600_000

/**
 * Wipes a device, takes the wish back, or removes its partnership: what a person asked for, so an obstacle is a dead letter
 * rather than silence. The device Exchange answers with must be the one we know under this id.
 */
export async function handleActOnDevice(
  message: EnforcementActOnDevice,
  context: MessageContext,
  deps: EnforcementDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  if (await wasActedOn(message.messageId, deps.pool)) return done
  const organization = deps.organizations.get(message.organizationId)
  if (organization === undefined)
    throw new PermanentError('organization-unknown', 'The organisation is not in the settings of this worker')
  if (Date.now() - Date.parse(message.at) > AGE_MS_MAX)
    throw new PermanentError(
      'device-action-expired',
      'The action was asked for more than a day ago; ask again if it is still wanted',
    )
  const deviceId = await readPartnershipDeviceId(deps.pool, {
    organizationId: organization.id,
    partnershipId: message.deviceId,
  })
  if (deviceId === undefined) throw new PermanentError('device-unknown', 'Discovery has not stored this device partnership')
  const settings = await readOrganizationToReconcile(deps.pool, organization.id)
  if (settings === undefined) return later(NOT_READY_MS, 'organization-not-ready')
  if (settings.report_only)
    throw new PermanentError('report-only', 'The organisation is in report-only mode: nothing is written to its Exchange')
  using lock = await deps.locks.tryLock(`device:${message.deviceId}`)
  if (lock === undefined) return later(BUSY_MS, 'device-locked')
  const options: SetOptions = { signal: AbortSignal.any([signal, lock.signal]), priority: context.lane }
  return await withExchange({ organization, broker: deps.broker, context, signal: options.signal }, async (connected) => {
    if (connected.epoch !== settings.epoch) {
      organization.connection.drop(connected)
      return later(NOT_READY_MS, 'connector-replaced')
    }
    const { exchange } = connected
    if (!(await isStillThere(message, { exchange, deviceId, context, options }))) return done
    const how = await actOnce(message.messageId, deps.pool, () => act(message, exchange, options))
    const { action, requestedBy } = message
    if (how === 'acted') deps.log.info({ deviceId: message.deviceId, action, actor: requestedBy }, 'Acted on a device')
    return done
  })
}

/** false: removed already, by the first delivery of this very message. */
async function isStillThere(
  message: EnforcementActOnDevice,
  o: { exchange: Exchange; deviceId: string; context: MessageContext; options: SetOptions },
): Promise<boolean> {
  try {
    const device = await o.exchange.readMobileDevice(message.deviceId, o.options)
    if (device.deviceId.toLowerCase() === o.deviceId.toLowerCase()) return true
    throw new PermanentError('exchange-identity-mismatch', 'Exchange knows another device under this id', {
      detail: { scope: 'mailbox', mayHaveRun: false },
    })
  } catch (error) {
    const isRepeated = message.action === 'remove' && (o.context.redelivered || o.context.attempt > 1)
    if (isRepeated && error instanceof PermanentError && error.code === 'exchange-object-not-found') return false
    throw error
  }
}

async function act(message: EnforcementActOnDevice, exchange: Exchange, options: SetOptions): Promise<void> {
  if (message.action === 'remove') return await exchange.removeMobileDevice(message.deviceId, options)
  await exchange.clearMobileDevice(message.deviceId, message.action, options)
}
