import { type DecisionInput, decide, easIdKey, type MailboxUser } from '@gatehouse/policy'
import { deviceIdKey, layOver, type MailboxLists, type MailboxToDecide, type NewDecision } from '@gatehouse/store'

export type MailboxDecision = { readonly decisions: NewDecision[]; readonly wouldBlock: number }

/**
 * The decision of every device of a mailbox, from what is stored. Pure. Undefined while control has not written a policy or the
 * settings of the organisation.
 */
export function planMailboxDecision(state: MailboxToDecide, now: Date): MailboxDecision | undefined {
  const { policy, default_access_level: defaultAccessLevel } = state
  if (policy === null || defaultAccessLevel === null) return undefined
  const lists = listsOf(state)
  const user = userOf(state.users)
  const decisions = state.devices.map((device): NewDecision => {
    const input: DecisionInput = {
      policy: {
        enabled: policy.enabled,
        overrideDefaultRule: policy.override_default_rule,
        unknownCompliance: policy.unknown_compliance,
      },
      now,
      user,
      device,
      managedDevices: managedDevicesOf(state, device.deviceId),
      adminExemption: adminExemptionOf(device.deviceId, lists, state),
      organization: { defaultAccessLevel, platformExceptions: state.platform_exceptions },
    }
    return {
      partnership_id: device.id,
      device_id: device.deviceId,
      ...decide(input),
      inputs: inputsOf(state, input, device.accessState),
    }
  })
  const blocked = new Set(lists.blocked.map(deviceIdKey))
  const wouldBlock = decisions.filter((one) => one.exemption === 'block' && !blocked.has(deviceIdKey(one.device_id))).length
  return { decisions, wouldBlock }
}

/** What was last observed, with our own confirmed writes since then laid over it. */
function listsOf(state: MailboxToDecide): MailboxLists {
  const observed = { allowed: state.allowed_device_ids, blocked: state.blocked_device_ids }
  return state.changes
    .filter((change) => change.state === 'written')
    .reduce<MailboxLists>((lists, { plan }) => layOver(lists, plan), observed)
}

/** A name that is the address outweighs a mail that is: two people may share a mail, never a user name. */
function userOf(users: MailboxToDecide['users']): MailboxUser {
  const byName = users.filter((user) => user.by === 'upn')
  const candidates = byName.length > 0 ? byName : users
  const [user] = candidates
  if (user === undefined) return { found: 'none' }
  if (candidates.length > 1) return { found: 'several' }
  return { found: 'one', id: user.id, licensed: user.licensed, included: user.included, excluded: user.excluded }
}

function managedDevicesOf(state: MailboxToDecide, deviceId: string): DecisionInput['managedDevices'] {
  const key = easIdKey(deviceId)
  return state.managed_devices
    .filter((one) => easIdKey(one.easDeviceId) === key)
    .map((one) => ({
      ...one,
      complianceGraceExpiresAt: dateOf(one.complianceGraceExpiresAt),
      lastSyncDateTime: dateOf(one.lastSyncDateTime),
    }))
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}

/** Block first: in both lists, Exchange blocks. */
function adminExemptionOf(deviceId: string, lists: MailboxLists, state: MailboxToDecide): 'allow' | 'block' | undefined {
  const key = deviceIdKey(deviceId)
  for (const [list, ids] of [
    ['block', lists.blocked],
    ['allow', lists.allowed],
  ] as const)
    if (ids.some((id) => deviceIdKey(id) === key) && !isOurs(key, list, state)) return list
  return undefined
}

/** An entry that an uncertain write of ours was to add was not there before it: if it is there now, it is ours. */
function isOurs(key: string, list: 'allow' | 'block', state: MailboxToDecide): boolean {
  if (state.own.some((entry) => entry.key === key && entry.list === list)) return true
  return state.changes.some(
    ({ state: changeState, plan }) =>
      changeState === 'writing' && (list === 'allow' ? plan.allowAdd : plan.blockAdd).some((id) => deviceIdKey(id) === key),
  )
}

/** Everything the decision was made from, for `gatehouse why`. */
function inputsOf(state: MailboxToDecide, input: DecisionInput, deviceAccessState: string): Record<string, unknown> {
  const key = easIdKey(input.device.deviceId)
  return {
    policyVersion: state.policy?.version,
    policy: input.policy,
    user: input.user,
    users: state.users.map(({ id, upn, by }) => ({ id, upn, by })),
    deviceAccessState,
    managedDevices: state.managed_devices.filter((one) => easIdKey(one.easDeviceId) === key),
    adminExemption: input.adminExemption ?? null,
    defaultAccessLevel: input.organization.defaultAccessLevel,
    platformExceptions: input.organization.platformExceptions,
  }
}
