import type { AccessLevel, Database } from '@gatehouse/store'
import { type Kysely, sql } from 'kysely'
import { graphAccessReason } from './graph-access-reason.ts'

/** Graph's exchangeAccessState. */
export const EXCHANGE_ACCESS_STATES = ['none', 'unknown', 'allowed', 'blocked', 'quarantined'] as const
export type ExchangeAccessState = (typeof EXCHANGE_ACCESS_STATES)[number]

export type DeviceQuery = {
  search?: string | undefined
  exchangeAccessState?: ExchangeAccessState | undefined
  id?: string | undefined
  top: number
  skip: number
}

type DeviceRow = {
  id: string
  deviceId: string
  mailboxId: string
  organizationId: string
  exchangeOrganization: string | null
  primarySmtpAddress: string
  displayName: string
  deviceType: string
  deviceModel: string
  deviceOs: string
  deviceUserAgent: string
  friendlyName: string
  clientType: string
  firstSyncTime: Date | null
  observedAt: Date
  /** What Exchange itself said at the last read. */
  deviceAccessState: string
  deviceAccessStateReason: string
  isInAllowedList: boolean
  isInBlockedList: boolean
  isOwnEntry: boolean
  exchangeAccessState: ExchangeAccessState
  access: AccessLevel | null
  exemption: 'allow' | 'block' | 'none' | null
  reason: string | null
  decidedAt: Date | null
}

export type DeviceView = DeviceRow & { exchangeAccessStateReason: string }

/**
 * Partnerships with their decision and their state in Exchange: the lists last read, with what was written since laid over
 * them (§2.6 of Exchange's own order: blocked, then allowed, then what Exchange said about the device itself).
 */
export async function readDevices(db: Kysely<Database>, query: DeviceQuery): Promise<{ value: DeviceView[]; count: number }> {
  const devices = devicesWhere(query)
  const state = query.exchangeAccessState
  const chosen = state === undefined ? sql`true` : sql`"exchangeAccessState" = ${state}`
  const { rows } = await sql<DeviceRow>`
    select * from (${devices}) devices where ${chosen}
    order by lower("primarySmtpAddress"), id limit ${query.top} offset ${query.skip}`.execute(db)
  const counted = await sql<{ n: number }>`select count(*)::int as n from (${devices}) devices where ${chosen}`.execute(db)
  return {
    value: rows.map((row) => ({ ...row, exchangeAccessStateReason: graphAccessReason(row) })),
    count: counted.rows[0]?.n ?? 0,
  }
}

function devicesWhere(query: DeviceQuery) {
  const isInBlockedList = sql`lower(p.device_id) = any (lower(coalesce(w.new_blocked, m.blocked_device_ids)::text)::text[])`
  const text = query.search?.trim().slice(0, 200) ?? ''
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  const found =
    text === ''
      ? sql`true`
      : sql`(m.primary_smtp_address ilike ${pattern} or m.display_name ilike ${pattern} or p.device_id ilike ${pattern}
          or p.friendly_name ilike ${pattern} or p.device_model ilike ${pattern} or p.device_type ilike ${pattern}
          or p.id::text = lower(${text}) or m.id::text = lower(${text}))`
  const one = query.id === undefined ? sql`true` : sql`p.id = ${query.id}`
  return sql`
    select seen.*, case
        when "isInBlockedList" then 'blocked'
        when "isInAllowedList" then 'allowed'
        when "deviceAccessStateReason" = 'Individual' and has_changed then 'unknown'
        when "deviceAccessState" = 'Allowed' then 'allowed'
        when "deviceAccessState" = 'Blocked' then 'blocked'
        when "deviceAccessState" = 'Quarantined' then 'quarantined'
        when "deviceAccessState" = '' then 'none'
        else 'unknown' end as "exchangeAccessState"
    from (
      select p.id, p.device_id as "deviceId", p.mailbox_id as "mailboxId", p.organization_id as "organizationId",
        o.name as "exchangeOrganization", m.primary_smtp_address as "primarySmtpAddress", m.display_name as "displayName",
        p.device_type as "deviceType", p.device_model as "deviceModel", p.device_os as "deviceOs",
        p.device_user_agent as "deviceUserAgent", p.friendly_name as "friendlyName", p.client_type as "clientType",
        p.first_sync_time as "firstSyncTime", p.observed_at as "observedAt", p.device_access_state as "deviceAccessState",
        p.device_access_state_reason as "deviceAccessStateReason",
        lower(p.device_id) = any (lower(coalesce(w.new_allowed, m.allowed_device_ids)::text)::text[]) as "isInAllowedList",
        ${isInBlockedList} as "isInBlockedList",
        exists (select 1 from own_exemptions e where e.mailbox_id = m.id and e.device_id_key = lower(trim(p.device_id))
          and e.list = case when ${isInBlockedList} then 'block' else 'allow' end) as "isOwnEntry",
        w.id is not null as has_changed,
        d.access, d.exemption, d.reason, d.decided_at as "decidedAt"
      from device_partnerships p
      join mailboxes m on m.id = p.mailbox_id
      left join organizations o on o.id = p.organization_id
      left join decisions d on d.partnership_id = p.id
      left join lateral (
        select c.id, c.new_allowed, c.new_blocked from access_changes c
        where c.mailbox_id = m.id and c.state in ('written', 'verified') and c.written_at > m.observed_at
        order by c.written_at desc limit 1) w on true
      where p.vanished_at is null and ${found} and ${one}) seen`
}
