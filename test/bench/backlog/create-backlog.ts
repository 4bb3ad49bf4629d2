import type { System } from '@gatehouse/cli/system'
import { type ConfirmChannel, connect } from 'amqplib'
import { sql } from 'kysely'
import { callManagement } from '../../../libs/broker/src/call-management.ts'
import { inboxOf } from '../../../libs/broker/src/index.ts'
import { createMessage, type Message, routingKeyOf } from '../../../libs/messages/src/index.ts'

/** The workers whose inbox takes a message per mailbox. */
export type BulkWorker = 'compliance-lookup' | 'enforcement' | 'notification'

export type Backlog = {
  empty(): Promise<void>
  /** Empties the inboxes and puts so many messages into this one. */
  fill(worker: BulkWorker, length: number): Promise<void>
  publish(worker: BulkWorker, count: number): Promise<void>
} & AsyncDisposable

const CHUNK = 500

/** Makes messages about the mailboxes of a system that has been through a sync, and lifts the limits of its inboxes. */
export async function createBacklog(system: System, signal: AbortSignal): Promise<Backlog> {
  const { broker } = system.parts
  if (broker === undefined) throw new TypeError('The system has no broker')
  const url = new URL(broker.amqpUrl)
  url.pathname = `/${encodeURIComponent(broker.vhost)}`
  const body = {
    pattern: '^gh\\.(compliance-lookup|enforcement|notification)$',
    'apply-to': 'queues',
    priority: 20,
    definition: { 'delivery-limit': 20 },
  }
  await callManagement(broker, { method: 'PUT', path: `/api/policies/${broker.vhost}/backlog`, body }, signal)
  const templates = await readTemplates(system)
  const model = await connect(url.href, { noDelay: true })
  const channel = await model.createConfirmChannel()
  const published = { count: 0 }
  const publish = async (worker: BulkWorker, count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      publishOne(channel, templates[worker](published.count++))
      if (sent % CHUNK === CHUNK - 1) await channel.waitForConfirms()
    }
    await channel.waitForConfirms()
  }
  const empty = async (): Promise<void> => {
    for (const each of Object.keys(templates) as BulkWorker[]) await channel.purgeQueue(inboxOf(each, 'bulk'))
  }
  return {
    empty,
    fill: async (worker, length) => {
      await empty()
      // Then some of what comes up is not yet done.
      await sql`update notices set state = 'pending', sent_at = null`.execute(system.store.db)
      await publish(worker, length)
    },
    publish,
    [Symbol.asyncDispose]: () => model.close(),
  }
}

function publishOne(channel: ConfirmChannel, { exchange, message }: { exchange: string; message: Message }): void {
  channel.publish(exchange, routingKeyOf('bulk', message.type), Buffer.from(JSON.stringify(message)), {
    persistent: true,
    contentType: 'application/json',
    type: message.type,
    messageId: message.messageId,
    headers: { 'gh-attempt': 1 },
  })
}

type Template = (index: number) => { exchange: string; message: Message }

/** Messages that the workers take for true: mailboxes that are stored, decisions that are current, changes that were announced. */
async function readTemplates({ store: { db } }: System): Promise<Record<BulkWorker, Template>> {
  const { rows: decided } = await sql<{
    organizationId: string
    mailboxId: string
    decisionVersion: number
    syncRunId: string
  }>`
    select organization_id as "organizationId", mailbox_id as "mailboxId", decision_version as "decisionVersion",
      (select id from sync_runs order by started_at desc limit 1) as "syncRunId"
    from mailbox_decisions`.execute(db)
  const { rows: announced } = await sql<{ organizationId: string; mailboxId: string; changeId: string }>`
    select organization_id as "organizationId", mailbox_id as "mailboxId", id as "changeId"
    from access_changes where announced_at is not null`.execute(db)
  const nth = <T>(rows: readonly T[], index: number): T => {
    const row = rows[index % rows.length]
    if (row === undefined) throw new Error('The sync has left nothing to make messages of')
    return row
  }
  const exchange = 'gh.events'
  return {
    'compliance-lookup': (index) => {
      const { organizationId, mailboxId, syncRunId } = nth(decided, index)
      return { exchange, message: createMessage('mailbox.observed', { organizationId, mailboxId, syncRunId }) }
    },
    enforcement: (index) => ({ exchange, message: createMessage('mailbox.decided', nth(decided, index)) }),
    notification: (index) => ({ exchange, message: createMessage('access.changed', nth(announced, index)) }),
  }
}
