import { createTopology } from '@gatehouse/broker'
import type { System } from '@gatehouse/cli/system'
import { connect } from 'amqplib'
import { sql } from 'kysely'

/** What everybody who saw the run has counted by its end: Exchange, the store and the broker. */
export type Ledger = {
  readonly exchange: ExchangeLedger
  readonly store: StoreLedger
  readonly changes: readonly BlockChange[]
  /** Messages in each queue that is not empty. */
  readonly queues: Readonly<Record<string, number>>
}

export type ExchangeLedger = {
  wrong: { count: number; samples: unknown[] }
  writes: number
  writesLeast: number
  duplicateAdds: number
  mails: { to: string[]; stamp?: string; at: string }[]
}

export type StoreLedger = {
  mailboxes: number
  /** Without a decision, or with one that was not carried out. */
  notCarriedOut: number
  failed: number
  writing: number
  announced: number
  unsentNotices: number
  leases: number
}

/** A block that Exchange has confirmed; `noticeId`: of the notice that was sent for it. */
export type BlockChange = { id: string; mailboxId: string; startedAt: string; noticeIds: string[] }

export async function readLedger(system: System, queues: Ledger['queues']): Promise<Ledger> {
  const [exchange, store, changes] = await Promise.all([readExchange(system), readStore(system), readBlockChanges(system)])
  return { exchange, store, changes, queues }
}

async function readExchange({ simulators }: System): Promise<ExchangeLedger> {
  const answer = await fetch(`${new URL(simulators.ready.url).origin}/__simulator/state`)
  return (await answer.json()) as ExchangeLedger
}

async function readStore({ store }: System): Promise<StoreLedger> {
  const { rows } = await sql<StoreLedger>`select
    (select count(*)::int from mailboxes where vanished_at is null) as "mailboxes",
    (select count(*)::int from mailboxes m left join mailbox_decisions d on d.mailbox_id = m.id
       left join mailbox_enforcements e on e.mailbox_id = m.id
       where m.vanished_at is null and (d.decision_version is null or e.decision_version is distinct from d.decision_version))
       as "notCarriedOut",
    (select count(*)::int from mailbox_enforcements where outcome = 'failed') as "failed",
    (select count(*)::int from access_changes where state = 'writing') as "writing",
    (select count(*)::int from access_changes where state = 'announced') as "announced",
    (select count(*)::int from notices where state not in ('sent', 'suppressed')) as "unsentNotices",
    (select count(*)::int from runspace_leases where expires_at > clock_timestamp()) as "leases"`.execute(store.db)
  const [row] = rows
  if (row === undefined) throw new TypeError('The store has answered nothing')
  return row
}

async function readBlockChanges({ store }: System): Promise<BlockChange[]> {
  const { rows } = await sql<Omit<BlockChange, 'startedAt'> & { startedAt: Date }>`
    select c.id, c.mailbox_id as "mailboxId", c.started_at as "startedAt",
      (select coalesce(json_agg(n.id), '[]') from notices n where n.change_id = c.id and n.state = 'sent') as "noticeIds"
    from access_changes c
    where c.state in ('written', 'verified') and json_array_length((c.plan -> 'blockAdd')::json) > 0`.execute(store.db)
  return rows.map((row) => ({ ...row, startedAt: row.startedAt.toISOString() }))
}

/** The queues of the broker that hold something ready; what a worker has in hand does not count. */
export async function readQueues({ parts }: System): Promise<Record<string, number>> {
  const { broker } = parts
  if (broker === undefined) throw new TypeError('The system has no broker')
  const connection = await connect(broker.amqpUrl)
  try {
    const channel = await connection.createChannel()
    const filled: Record<string, number> = {}
    for (const { name } of createTopology({ vhost: broker.vhost }).queues) {
      const { messageCount } = await channel.checkQueue(name)
      if (messageCount > 0) filled[name] = messageCount
    }
    return filled
  } finally {
    await connection.close()
  }
}
