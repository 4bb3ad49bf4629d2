import { explain } from '@gatehouse/policy'
import type { DeviceStoryFacts, StoryChange } from './read-device-story.ts'

const REFRESH_OLD_MS = 25 * 3_600_000

/** The facts in sentences, in the order in which the decision was made, and what an administrator can do next. */
export function tellDeviceStory(facts: DeviceStoryFacts, now: Date): { story: string[]; nextSteps: string[] } {
  const nextSteps = nextStepsOf(facts, now)
  const story = [
    ...tellDevice(facts),
    ...tellUser(facts),
    ...tellManagedDevices(facts),
    ...tellDecision(facts),
    ...tellLists(facts),
    ...facts.changes
      .filter((change) => concerns(change, facts.device.deviceId))
      .slice(0, 5)
      .map(tellChange),
    ...facts.notices.slice(0, 3).map(tellNotice),
    ...nextSteps.map((step) => `Next: ${step}`),
  ]
  return { story, nextSteps }
}

function tellDevice({ device, mailbox }: DeviceStoryFacts): string[] {
  const name = device.friendlyName || device.deviceModel || device.deviceType
  return [
    `${name} (${device.deviceType}, ${device.deviceModel}, ${device.deviceOs}), DeviceId ${device.deviceId}, of the mailbox ${device.primarySmtpAddress} in ${device.exchangeOrganization ?? device.organizationId}`,
    `Exchange said ${device.deviceAccessState} (${device.deviceAccessStateReason || 'no reason'}) when it was last read, ${at(device.observedAt)}; with what was written since, the device is ${device.exchangeAccessState} (${device.exchangeAccessStateReason})`,
    ...(mailbox.activeSyncEnabled
      ? []
      : ['ActiveSync is switched off for the mailbox: no device of it may synchronise, whatever the lists say']),
  ]
}

function tellUser({ users, policy, device }: DeviceStoryFacts): string[] {
  const [user] = users
  if (policy !== undefined && !policy.enabled) return ['The access policy is switched off: nobody is targeted']
  if (user === undefined) {
    return [`No user in the policy's groups has ${device.primarySmtpAddress} as user principal name or mail address`]
  }
  const groups =
    user.excludedGroups.length > 0
      ? `excluded by the group ${user.excludedGroups.join(', ')} (exclusion wins)`
      : user.includedGroups.length > 0
        ? `targeted by the group ${user.includedGroups.join(', ')}`
        : 'in no group of the policy'
  const several = users.length > 1 ? [`${users.length} users have this address; a decision needs exactly one`] : []
  return [
    `The user is ${user.userPrincipalName}, ${user.licensed ? 'licensed' : 'not licensed'} for Intune, ${groups}`,
    ...several,
  ]
}

function tellManagedDevices({ managedDevices, users }: DeviceStoryFacts): string[] {
  if (managedDevices.length === 0) return users.length === 0 ? [] : ['Intune has no device with this EAS device id']
  return managedDevices.map((device) => {
    const registered = device.azureAdRegistered && device.deviceRegistrationState === 'registered'
    const parts = [
      device.isOfThisUser ? '' : `of ANOTHER user (${device.userPrincipalName}), so it does not count`,
      `compliance ${device.complianceState}`,
      registered ? 'registered in Entra' : `not registered in Entra (${device.deviceRegistrationState})`,
      device.easActivated ? 'EAS id activated' : 'EAS id not activated',
      device.missingRefreshes > 0 ? `missing from the last ${device.missingRefreshes} reads of Intune` : '',
    ]
    return `Intune device ${device.deviceName} (${device.operatingSystem}, ${device.id}): ${parts.filter(Boolean).join(', ')}; read ${at(device.refreshedAt)}`
  })
}

function tellDecision({ decision, policy }: DeviceStoryFacts): string[] {
  if (decision === undefined) return ['Nothing was decided about this device yet']
  const wanted = { allow: 'in the allowed list', block: 'in the blocked list', none: 'in neither list by us' }[
    decision.exemption
  ]
  return [
    `Decision: ${decision.access} (${decision.reason}). ${explain(decision.reason)}; wanted ${wanted ?? decision.exemption}; decided ${at(decision.decidedAt)} by policy version ${policy?.version ?? 'none'} or earlier`,
  ]
}

function tellLists({ device, reportOnly }: DeviceStoryFacts): string[] {
  const list = device.isInBlockedList ? 'blocked' : device.isInAllowedList ? 'allowed' : undefined
  const entry =
    list === undefined
      ? 'The device is in neither list of its mailbox'
      : `The device is in the ${list} list of its mailbox; the entry is ${device.isOwnEntry ? "Gatehouse's" : "an administrator's, which Gatehouse never touches"}`
  return reportOnly ? [entry, 'The organisation is in report-only mode: nothing is written and nobody is mailed'] : [entry]
}

function concerns({ plan }: StoryChange, deviceId: string): boolean {
  const key = deviceId.trim().toLowerCase()
  const ids = [...plan.allowAdd, ...plan.allowRemove, ...plan.blockAdd, ...plan.blockRemove]
  return ids.some((id) => id.trim().toLowerCase() === key)
}

function tellChange(change: StoryChange): string {
  const lists = `allowed [${change.oldAllowed.join(' ')}] → [${change.newAllowed.join(' ')}], blocked [${change.oldBlocked.join(' ')}] → [${change.newBlocked.join(' ')}]`
  const problem = change.problem === null ? '' : `; ${change.problem.code}: ${change.problem.message}`
  const took = change.durationMs === null ? '' : ` in ${change.durationMs} ms`
  return `Change ${change.state} ${at(change.writtenAt ?? change.createdAt)}: ${change.cmdlet}${took}: ${lists}${problem}`
}

function tellNotice(notice: DeviceStoryFacts['notices'][number]): string {
  const problem = notice.problem === null ? '' : `; ${notice.problem.code}: ${notice.problem.message}`
  return `Notice to ${notice.recipient} ${notice.state} ${at(notice.sentAt ?? notice.createdAt)}${problem}`
}

function nextStepsOf(facts: DeviceStoryFacts, now: Date): string[] {
  const { device, decision, users, managedDevices, reportOnly } = facts
  const steps: string[] = []
  if (decision === undefined) steps.push('start a full sync; if this stays, look at the dead letters of compliance-lookup')
  if (users.length === 0) {
    steps.push(
      `if ${device.primarySmtpAddress} is to be managed, give the Entra user this address and put it into an included group`,
    )
  }
  const own = managedDevices.filter((candidate) => candidate.isOfThisUser)
  if (decision?.access === 'block' && own.length === 0) {
    steps.push(
      'let the user open the link of the notice on the device, enrol it, and open the mail app so that its EAS id is bound',
    )
  }
  if (own.some((candidate) => candidate.complianceState === 'noncompliant')) {
    steps.push('open the device in Intune: its compliance policies name the setting that does not comply')
  }
  if (own.some((candidate) => !candidate.easActivated))
    steps.push('let the user open the mail app once: this binds its EAS id to the enrolled device')
  if (own.some((candidate) => now.getTime() - candidate.refreshedAt.getTime() > REFRESH_OLD_MS)) {
    steps.push('start a full sync: what is known of Intune is older than a day')
  }
  if ((device.isInAllowedList || device.isInBlockedList) && !device.isOwnEntry) {
    steps.push(
      `if the administrator's entry is not wanted any more, remove it: Set-CASMailbox ${device.primarySmtpAddress} with -ActiveSyncAllowedDeviceIDs or -ActiveSyncBlockedDeviceIDs @{Remove="${device.deviceId}"}`,
    )
  }
  if (reportOnly) steps.push('switch report-only mode off when the decisions are right')
  return steps
}

function at(date: Date): string {
  return date.toISOString().replace('T', ' ').slice(0, 19)
}
