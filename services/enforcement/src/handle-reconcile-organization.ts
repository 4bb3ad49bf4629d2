import type { MessageContext } from '@gatehouse/broker'
import type { Exchange, SetOptions } from '@gatehouse/exchange'
import { done, type EnforcementReconcileOrganization, later, type Outcome, PermanentError } from '@gatehouse/messages'
import { readConnectorEpoch, readOrganizationToReconcile } from '@gatehouse/store'
import type { EnforcementDeps } from './enforcement-deps.ts'
import type { Organization } from './organization.ts'
import { type OrganizationChange, planOrganizationChange } from './plan-organization-change.ts'
import { withExchange } from './with-exchange.ts'

const BUSY_MS = 2_000
const NOT_READY_MS = 2_000

/** Only where the organisation's settings are ours to manage. Safe to run twice: the second run finds nothing to change. */
export async function handleReconcileOrganization(
  message: EnforcementReconcileOrganization,
  context: MessageContext,
  deps: EnforcementDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const organization = deps.organizations.get(message.organizationId)
  if (organization === undefined)
    throw new PermanentError('organization-unknown', 'The organisation is not in the settings of this worker')
  const desired = await readOrganizationToReconcile(deps.pool, organization.id)
  if (desired === undefined) return later(NOT_READY_MS, 'organization-not-ready')
  if (!desired.manage_organization_settings) {
    if (!desired.report_only) await warmUp({ organization, deps, context, signal })
    return done
  }
  using lock = await deps.locks.tryLock(`organization:${organization.id}`)
  if (lock === undefined) return later(BUSY_MS, 'organization-locked')
  const options: SetOptions = { signal: AbortSignal.any([signal, lock.signal]), priority: context.lane }
  return await withExchange({ organization, broker: deps.broker, context, signal: options.signal }, async (connected) => {
    const { exchange, epoch } = connected
    const settings = await exchange.readOrganizationSettings(options.signal)
    const { rules, complete } = await exchange.readDeviceAccessRules(options.signal)
    const changes = planOrganizationChange(desired, { ...settings, rules })
    if (desired.report_only || !complete) {
      deps.log.info(
        { organizationId: organization.id, changes, isComplete: complete },
        'Organisation settings differ, nothing is written',
      )
      return done
    }
    for (const change of changes) {
      if ((await readConnectorEpoch(deps.pool, organization.id)) !== epoch) {
        organization.connection.drop(connected)
        return later(NOT_READY_MS, 'connector-replaced')
      }
      await carryOut(change, exchange, options)
      deps.log.info({ organizationId: organization.id, changes: [change] }, 'Changed the settings of the organisation')
    }
    return done
  })
}

/**
 * A full sync has begun and its writes will come in a moment: connecting now costs them nothing. Whatever is wrong with Exchange
 * shows again when there is something to write.
 */
async function warmUp(o: {
  organization: Organization
  deps: EnforcementDeps
  context: MessageContext
  signal: AbortSignal
}): Promise<void> {
  try {
    await withExchange({ ...o, broker: o.deps.broker }, ({ exchange }) => {
      exchange.prepare()
      return Promise.resolve(done)
    })
  } catch (error) {
    o.signal.throwIfAborted()
    o.deps.log.info({ organizationId: o.organization.id, err: error }, 'Exchange could not be connected in advance')
  }
}

async function carryOut(change: OrganizationChange, exchange: Exchange, options: SetOptions): Promise<void> {
  switch (change.kind) {
    case 'new-rule':
      return await exchange.newDeviceAccessRule(change.rule, options)
    case 'set-rule':
      return await exchange.setDeviceAccessRule(change.identity, change.level, options)
    case 'set-default':
      return await exchange.setDefaultAccessLevel(change.level, options)
    default:
      change satisfies never
  }
}
