import type { ConfirmChannel } from 'amqplib'
import { sql } from 'kysely'
import { EVENTS, queueNamesOf, SERVICE_NAMES } from '../../../libs/broker/src/index.ts'
import { createMessage, type Message, routingKeyOf } from '../../../libs/messages/src/index.ts'
import type { Fleet } from '../../campaign/many-organizations/start-fleet.ts'
import { connectAsAdmin } from '../../environment/connect-as-admin.ts'

/** The workers whose work comes as a message for each mailbox. */
export type MailboxWorker = 'compliance-lookup' | 'enforcement' | 'notification'

export type Inboxes = {
  /** Makes all work of a worker be undone, and puts a message for each piece of it into its inbox. @returns how many. */
  fill(worker: MailboxWorker): Promise<number>
  empty(): Promise<void>
} & AsyncDisposable

const CHUNK = 500
/** Deciding a mailbox again is the same work as the first time, so each is decided as often as a measurement needs. */
const DECISIONS = 12_000

/** The inboxes of a fleet that has been through a full sync and whose workers are stopped. */
export async function openInboxes(fleet: Fleet): Promise<Inboxes> {
  const model = await connectAsAdmin(fleet, { noDelay: true })
  const channel = await model.createConfirmChannel()
  const empty = async (): Promise<void> => {
    for (const queue of SERVICE_NAMES.flatMap(queueNamesOf)) await channel.purgeQueue(queue)
  }
  return {
    empty,
    async fill(worker) {
      await empty()
      const messages = await readMessages[worker](fleet)
      if (messages.length === 0) throw new Error(`There is no work for ${worker}: too few devices`)
      await publish(channel, messages)
      return messages.length
    },
    [Symbol.asyncDispose]: () => model.close(),
  }
}

async function publish(channel: ConfirmChannel, messages: readonly Message[]): Promise<void> {
  for (const [index, message] of messages.entries()) {
    channel.publish(EVENTS, routingKeyOf('bulk', message.type), Buffer.from(JSON.stringify(message)), {
      persistent: true,
      contentType: 'application/json',
      type: message.type,
      messageId: message.messageId,
      headers: { 'gh-attempt': 1 },
    })
    if (index % CHUNK === CHUNK - 1) await channel.waitForConfirms()
  }
  await channel.waitForConfirms()
}

const readMessages: Record<MailboxWorker, (fleet: Fleet) => Promise<Message[]>> = {
  async 'compliance-lookup'({ store }) {
    const { rows } = await sql<{ organizationId: string; mailboxId: string; syncRunId: string }>`
      select organization_id as "organizationId", mailbox_id as "mailboxId", sync_run_id as "syncRunId"
      from mailbox_decisions`.execute(store.db)
    if (rows.length === 0) return []
    const times = Math.ceil(DECISIONS / rows.length)
    return Array.from({ length: times }, () => rows.map((row) => createMessage('mailbox.observed', row))).flat()
  },

  /** As if neither Gatehouse nor anybody else had ever written: Exchange takes an entry that it has already for a write like another. */
  async enforcement({ store }) {
    await sql`truncate access_changes, own_exemptions, mailbox_enforcements, notices`.execute(store.db)
    await sql`update mailboxes set allowed_device_ids = '{}', blocked_device_ids = '{}', observed_at = clock_timestamp()`.execute(
      store.db,
    )
    const { rows } = await sql<{ organizationId: string; mailboxId: string; decisionVersion: number; syncRunId: string }>`
      select organization_id as "organizationId", mailbox_id as "mailboxId", decision_version as "decisionVersion",
        sync_run_id as "syncRunId"
      from mailbox_decisions where mailbox_id in (select mailbox_id from decisions where exemption <> 'none')`.execute(store.db)
    return rows.map((row) => createMessage('mailbox.decided', row))
  },

  /** Every block that was written, as if nobody had been told of it. */
  async notification({ store }) {
    await sql`truncate notices`.execute(store.db)
    const { rows } = await sql<{ organizationId: string; mailboxId: string; changeId: string }>`
      update access_changes set announced_at = written_at
      where written_at is not null and jsonb_array_length(plan->'blockAdd') > 0
      returning organization_id as "organizationId", mailbox_id as "mailboxId", id as "changeId"`.execute(store.db)
    return rows.map((row) => createMessage('access.changed', row))
  },
}
