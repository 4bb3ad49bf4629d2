import { LANES, MESSAGES, type MessageType } from '@gatehouse/messages'
import { LADDER_LEVELS, ladderKeyExpression, ladderLevelName } from './delay-ladder.ts'
import { SENDERS, SERVICE_NAMES, type ServiceName } from './service-names.ts'
import { COMMANDS, DEAD, EVENTS, exchangeOf } from './topology-names.ts'

export type Permission = { user: string; vhost: string; configure: string; write: string; read: string }
export type TopicPermission = { user: string; vhost: string; exchange: string; write: string; read: string }

/** Matches nothing. */
const NONE = '^$'
const TYPES = Object.keys(MESSAGES) as MessageType[]

/**
 * The rights of one user per worker: declare nothing, read its own queues, send what it is listed to send, and put into the
 * ladder and among the dead only what comes back to itself. Control replays, so it reads the dead and may send to anyone.
 */
export function createPermissions(options: { vhost: string; userPrefix: string }): {
  permissions: Permission[]
  topic_permissions: TopicPermission[]
} {
  const userOf = (service: ServiceName): string => `${options.userPrefix}${service}`
  return {
    permissions: SERVICE_NAMES.map((service) => ({
      user: userOf(service),
      vhost: options.vhost,
      configure: NONE,
      write: writeExpression(service),
      read: readExpression(service),
    })),
    topic_permissions: SERVICE_NAMES.flatMap((service) =>
      topicRights(service).map(([exchange, write]) => ({
        user: userOf(service),
        vhost: options.vhost,
        exchange,
        write,
        read: NONE,
      })),
    ),
  }
}

function writeExpression(service: ServiceName): string {
  const exchanges = 'commands|events|dead|retry\\.l\\d\\d'
  if (service !== 'control') return `^gh\\.(${exchanges})$`
  // Control asks how long the inboxes are. RabbitMQ 4.3.1 lets only those ask who have some right to a queue, and this one lets
  // nobody do anything: what is written to is an exchange, and binding needs the right to read one as well.
  return `^gh\\.(${exchanges}|(${SERVICE_NAMES.join('|')})(\\.urgent)?(\\.due)?)$`
}

function readExpression(service: ServiceName): string {
  const own = `gh\\.${service}(\\.urgent)?(\\.due)?`
  if (service !== 'control') return `^${own}$`
  return `^(${own}|gh\\.(${SERVICE_NAMES.join('|')})\\.dead|gh\\.unrouted)$`
}

function topicRights(service: ServiceName): [exchange: string, write: string][] {
  const ladder = ladderKeyExpression(service === 'control' ? SERVICE_NAMES : [service])
  return [
    [COMMANDS, sendExpression(service, COMMANDS)],
    [EVENTS, sendExpression(service, EVENTS)],
    // Control puts letters back that it took away or changed; `unrouted` is a key that no queue takes.
    [DEAD, service === 'control' ? `^(${SERVICE_NAMES.join('|')}|unrouted)$` : `^${service}$`],
    ...Array.from({ length: LADDER_LEVELS }, (_, level): [string, string] => [ladderLevelName(level), ladder]),
  ]
}

function sendExpression(service: ServiceName, exchange: string): string {
  const types = TYPES.filter((type) => exchangeOf(type) === exchange && SENDERS[type].includes(service))
  if (types.length === 0) return NONE
  return `^(${LANES.join('|')})\\.(${types.map((type) => type.replace('.', '\\.')).join('|')})\\.v\\d+$`
}
