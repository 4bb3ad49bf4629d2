import { randomUUID } from 'node:crypto'
import { type BrokerConnection, type DeadLetterSource, putDeadLetter } from '@gatehouse/broker'
import { createMessage, type Lane, MESSAGES, type MessageType, routingKeyOf } from '@gatehouse/messages'

type Kind = {
  readonly name: string
  readonly service: DeadLetterSource
  readonly code: string
  readonly create: () => {
    messageId: string
    type: string
    content: Buffer
    origin: { exchange: string; key: string } | undefined
  }
}

/** Six kinds of dead letters: of both exchanges, both lanes, every service, and one that nobody can read. */
const KINDS: readonly Kind[] = [
  { name: 'notice', service: 'notification', code: 'mail-refused', create: () => message('notification.send-notice', 'bulk') },
  {
    name: 'urgent notice',
    service: 'notification',
    code: 'mail-busy',
    create: () => message('notification.send-notice', 'urgent'),
  },
  { name: 'decided', service: 'enforcement', code: 'exchange-timeout', create: () => message('mailbox.decided', 'bulk') },
  {
    name: 'observed',
    service: 'compliance-lookup',
    code: 'database-unreachable',
    create: () => message('mailbox.observed', 'bulk'),
  },
  { name: 'sync', service: 'discovery', code: 'exchange-refused', create: () => message('discovery.sync', 'bulk') },
  { name: 'junk', service: 'control', code: 'malformed', create: junk },
]

const AT_ONCE = 500

/** Fills the dead queues with so many letters, of each kind as many. @returns the ids of those that can be sent, by kind. */
export async function buryLetters(
  broker: BrokerConnection,
  letters: number,
  signal: AbortSignal,
): Promise<{ sendable: Set<string>; junk: number; byKind: Record<string, number> }> {
  const sendable = new Set<string>()
  const byKind: Record<string, number> = {}
  for (let from = 0; from < letters; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, letters - from)
    await Promise.all(
      Array.from({ length: count }, (_, n) => {
        const kind = KINDS[(from + n) % KINDS.length] as Kind
        byKind[kind.name] = (byKind[kind.name] ?? 0) + 1
        return bury(kind, { broker, sendable }, signal)
      }),
    )
  }
  return { sendable, junk: byKind['junk'] ?? 0, byKind }
}

async function bury(
  { service, code, create }: Kind,
  { broker, sendable }: { broker: BrokerConnection; sendable: Set<string> },
  signal: AbortSignal,
): Promise<void> {
  const { messageId, type, content, origin } = create()
  if (origin !== undefined) sendable.add(messageId)
  const headers = {
    'gh-attempt': 8,
    'gh-reason': 'attempts-exhausted',
    'gh-error-code': code,
    'gh-error-class': 'RetryableError',
    'gh-dead-at': new Date().toISOString(),
    ...(origin === undefined ? {} : { 'gh-origin-exchange': origin.exchange, 'gh-origin-key': origin.key }),
  }
  await putDeadLetter(broker, { service, messageId, type, headers, content }, signal)
}

function message(type: MessageType, lane: Lane): ReturnType<Kind['create']> {
  const fields = {
    organizationId: randomUUID(),
    mailboxId: randomUUID(),
    noticeId: randomUUID(),
    syncRunId: randomUUID(),
    syncType: 'fullSync',
    decisionVersion: 1,
  }
  const created = createMessage(type, fields as unknown as Parameters<typeof createMessage<typeof type>>[1])
  const exchange = MESSAGES[type].kind === 'command' ? 'gh.commands' : 'gh.events'
  const content = Buffer.from(JSON.stringify(created))
  return { messageId: created.messageId, type, content, origin: { exchange, key: routingKeyOf(lane, type) } }
}

function junk(): ReturnType<Kind['create']> {
  return { messageId: randomUUID(), type: 'sync.progressed', content: Buffer.from('{ not json'), origin: undefined }
}
