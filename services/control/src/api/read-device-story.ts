import { type Database, type Row, readPolicy } from '@gatehouse/store'
import { type Kysely, sql } from 'kysely'
import { type DeviceView, readDevices } from './read-devices.ts'

const LAST = 10

export type StoryChange = Pick<Row<'access_changes'>, 'id' | 'state' | 'cmdlet' | 'plan' | 'problem'> & {
  oldAllowed: string[]
  oldBlocked: string[]
  newAllowed: string[]
  newBlocked: string[]
  announcedAt: Date | null
  writtenAt: Date | null
  verifiedAt: Date | null
  createdAt: Date
  durationMs: number | null
}

export type DeviceStoryFacts = {
  device: DeviceView
  mailbox: { activeSyncEnabled: boolean; allowedDeviceIds: string[]; blockedDeviceIds: string[]; observedAt: Date }
  reportOnly: boolean
  policy: Row<'policies'> | undefined
  users: {
    id: string
    userPrincipalName: string
    mail: string
    licensed: boolean
    includedGroups: string[]
    excludedGroups: string[]
  }[]
  managedDevices: (Pick<Row<'managed_devices'>, 'id' | 'model'> & {
    userPrincipalName: string
    deviceName: string
    complianceState: string
    managementAgent: string
    operatingSystem: string
    easActivated: boolean
    azureAdRegistered: boolean
    deviceRegistrationState: string
    missingRefreshes: number
    refreshedAt: Date
    isOfThisUser: boolean
  })[]
  decision: { access: string; exemption: string; reason: string; inputs: Record<string, unknown>; decidedAt: Date } | undefined
  changes: StoryChange[]
  notices: {
    state: string
    recipient: string
    locale: string
    createdAt: Date
    sentAt: Date | null
    problem: Row<'notices'>['problem']
  }[]
}

/** Everything that is known about one partnership and what was decided and done about it. */
export async function readDeviceStory(db: Kysely<Database>, id: string): Promise<DeviceStoryFacts | undefined> {
  const { value } = await readDevices(db, { id, top: 1, skip: 0 })
  const [device] = value
  if (device === undefined) return undefined
  const policy = await readPolicy(db)
  const [mailbox, users, managedDevices, decision, changes, notices] = await Promise.all([
    readMailbox(db, device.mailboxId),
    readUsers(db, device.primarySmtpAddress, policy),
    readManagedDevices(db, device),
    readDecision(db, id),
    readChanges(db, device),
    readNotices(db, device.mailboxId),
  ])
  return { device, ...mailbox, policy, users, managedDevices, decision, changes, notices }
}

async function readMailbox(db: Kysely<Database>, id: string): Promise<Pick<DeviceStoryFacts, 'mailbox' | 'reportOnly'>> {
  const { rows } = await sql<DeviceStoryFacts['mailbox'] & { reportOnly: boolean | null }>`
    select m.active_sync_enabled as "activeSyncEnabled", m.allowed_device_ids as "allowedDeviceIds",
      m.blocked_device_ids as "blockedDeviceIds", m.observed_at as "observedAt", o.report_only as "reportOnly"
    from mailboxes m left join organizations o on o.id = m.organization_id where m.id = ${id}`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('A partnership without its mailbox')
  const { reportOnly, ...mailbox } = row
  return { mailbox, reportOnly: reportOnly ?? true }
}

async function readUsers(
  db: Kysely<Database>,
  address: string,
  policy: Row<'policies'> | undefined,
): Promise<DeviceStoryFacts['users']> {
  const { rows } = await sql<DeviceStoryFacts['users'][number]>`
    select u.id, u.user_principal_name as "userPrincipalName", u.mail, u.licensed,
      array(select group_id from group_members g where g.user_id = u.id and g.group_id = any(${policy?.included_groups ?? []})) as "includedGroups",
      array(select group_id from group_members g where g.user_id = u.id and g.group_id = any(${policy?.excluded_groups ?? []})) as "excludedGroups"
    from directory_users u
    where lower(u.user_principal_name) = lower(${address}) or lower(u.mail) = lower(${address})
    order by (lower(u.user_principal_name) = lower(${address})) desc, u.id limit ${LAST}`.execute(db)
  return rows
}

async function readManagedDevices(db: Kysely<Database>, device: DeviceView): Promise<DeviceStoryFacts['managedDevices']> {
  const { rows } = await sql<DeviceStoryFacts['managedDevices'][number]>`
    select d.id, d.model, d.user_principal_name as "userPrincipalName", d.device_name as "deviceName",
      d.compliance_state as "complianceState", d.management_agent as "managementAgent", d.operating_system as "operatingSystem",
      d.eas_activated as "easActivated", d.azure_ad_registered as "azureAdRegistered",
      d.device_registration_state as "deviceRegistrationState", d.missing_refreshes as "missingRefreshes",
      d.refreshed_at as "refreshedAt", exists (
        select 1 from directory_users u where u.id = d.user_id and (lower(u.user_principal_name) = lower(${device.primarySmtpAddress})
          or lower(u.mail) = lower(${device.primarySmtpAddress}))) as "isOfThisUser"
    from managed_devices d
    where d.eas_device_id_key <> '' and d.eas_device_id_key = lower(trim(${device.deviceId}))
    order by d.refreshed_at desc limit ${LAST}`.execute(db)
  return rows
}

async function readDecision(db: Kysely<Database>, id: string): Promise<DeviceStoryFacts['decision']> {
  const { rows } = await sql<NonNullable<DeviceStoryFacts['decision']>>`
    select access, exemption, reason, inputs, decided_at as "decidedAt" from decisions where partnership_id = ${id}`.execute(db)
  return rows[0]
}

async function readChanges(db: Kysely<Database>, device: DeviceView): Promise<StoryChange[]> {
  const { rows } = await sql<StoryChange>`
    select id, state, cmdlet, plan, problem, old_allowed as "oldAllowed", old_blocked as "oldBlocked", new_allowed as "newAllowed",
      new_blocked as "newBlocked", announced_at as "announcedAt", written_at as "writtenAt", verified_at as "verifiedAt",
      created_at as "createdAt", duration_ms as "durationMs"
    from access_changes where mailbox_id = ${device.mailboxId} order by created_at desc limit ${LAST}`.execute(db)
  return rows
}

async function readNotices(db: Kysely<Database>, mailboxId: string): Promise<DeviceStoryFacts['notices']> {
  const { rows } = await sql<DeviceStoryFacts['notices'][number]>`
    select state, recipient, locale, created_at as "createdAt", case when state = 'sent' then sent_at end as "sentAt", problem
    from notices where mailbox_id = ${mailboxId} order by created_at desc limit ${LAST}`.execute(db)
  return rows
}
