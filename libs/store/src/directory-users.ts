import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

/** A user of Entra, ready to be stored. */
export type ObservedUser = {
  id: string
  user_principal_name: string
  mail: string
  licensed: boolean
  preferred_language: string | null
}

export type ObservedGroup = { readonly groupId: string; readonly userIds: readonly string[] }

const STORE_USERS = `insert into directory_users (id, user_principal_name, mail, licensed, preferred_language, refreshed_at)
  select x.id, x.user_principal_name, x.mail, x.licensed, x.preferred_language, $2::timestamptz
  from json_to_recordset($1::json) as x(id text, user_principal_name text, mail text, licensed boolean, preferred_language text)
  on conflict (id) do update set user_principal_name = excluded.user_principal_name, mail = excluded.mail,
    licensed = excluded.licensed, preferred_language = excluded.preferred_language, refreshed_at = excluded.refreshed_at`

/**
 * Replaces users and memberships by what a complete read of all groups of the policy found, in one transaction: a decision
 * made meanwhile sees the old state or the new one.
 */
export async function replaceDirectory(
  pool: Store['pool'],
  o: { refreshedAt: Date; users: readonly ObservedUser[]; groups: readonly ObservedGroup[] },
): Promise<void> {
  const members = o.groups.flatMap(({ groupId, userIds }) => userIds.map((userId) => ({ group_id: groupId, user_id: userId })))
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(STORE_USERS, [storableJson(o.users), o.refreshedAt])
    await client.query('delete from directory_users where refreshed_at < $1::timestamptz', [o.refreshedAt])
    await client.query(
      `with wanted as (select * from json_to_recordset($1::json) as x(group_id text, user_id text)),
         gone as (delete from group_members g where not exists
           (select from wanted w where w.group_id = g.group_id and w.user_id = g.user_id))
       insert into group_members (group_id, user_id) select distinct group_id, user_id from wanted on conflict do nothing`,
      [JSON.stringify(members)],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** The mailboxes of these users: the address is the user's name or mail. */
export async function readMailboxesOfUsers(
  pool: Store['pool'],
  userIds: readonly string[],
): Promise<{ organizationId: string; mailboxId: string }[]> {
  const { rows } = await pool.query<{ organizationId: string; mailboxId: string }>(
    `select distinct m.organization_id as "organizationId", m.id as "mailboxId"
     from directory_users u
     join mailboxes m on lower(m.primary_smtp_address) in (lower(u.user_principal_name), lower(u.mail))
     where u.id = any ($1::text[]) and m.vanished_at is null`,
    [userIds],
  )
  return rows
}
