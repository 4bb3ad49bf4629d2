import { LANES, type Lane } from '@gatehouse/messages'
import {
  belowLadderLevel,
  LADDER_LEVELS,
  LADDER_STEP_MS,
  ladderExitPattern,
  ladderLevelName,
  ladderPattern,
} from './delay-ladder.ts'
import { EVENT_HANDLERS, SERVICE_NAMES, type ServiceName } from './service-names.ts'
import { COMMANDS, DEAD, deadQueueOf, dueQueueOf, EVENTS, inboxOf, RETRY_OUT, UNROUTED } from './topology-names.ts'
import { createPermissions, type Permission, type TopicPermission } from './topology-permissions.ts'

type Arguments = Record<string, string | number>
type Exchange = {
  name: string
  vhost: string
  type: 'topic' | 'fanout'
  durable: true
  auto_delete: false
  internal: false
} & {
  arguments: Arguments
}
type Queue = { name: string; vhost: string; durable: true; auto_delete: false; arguments: Arguments }
type Binding = {
  source: string
  vhost: string
  destination: string
  destination_type: 'queue' | 'exchange'
  routing_key: string
  arguments: Arguments
}
type Policy = {
  vhost: string
  name: string
  pattern: string
  'apply-to': 'queues' | 'exchanges'
  definition: Arguments
  priority: number
}

/** RabbitMQ's definitions format, as `rabbitmqctl import_definitions` and `POST /api/definitions` take it. */
export type Definitions = {
  vhosts: { name: string }[]
  exchanges: Exchange[]
  queues: Queue[]
  bindings: Binding[]
  policies: Policy[]
  permissions: Permission[]
  topic_permissions: TopicPermission[]
}

/** Above it an inbox refuses what is published to it. */
export const INBOX_LENGTH_MAX = 50_000
const DEAD_LENGTH_MAX = 200_000
/** Crashes and give-backs of one message before the broker itself takes it for poison. */
const DELIVERY_LIMIT = 20
/** Browsing a queue gives every message back, which counts: without this the 21st look deletes it (RabbitMQ 4). Never -1. */
const BROWSING_DELIVERY_LIMIT = 1_000_000

/**
 * Everything that Gatehouse needs in one virtual host: exchanges, quorum queues, bindings, policies and the rights of one
 * user per worker. Identical input gives identical output.
 */
export function createTopology(options: { vhost?: string; userPrefix?: string } = {}): Definitions {
  const vhost = options.vhost ?? 'gatehouse'
  const exchange = (name: string, type: Exchange['type'] = 'topic'): Exchange => {
    return { name, vhost, type, durable: true, auto_delete: false, internal: false, arguments: {} }
  }
  const queue = (name: string, more: Arguments = {}): Queue => {
    return { name, vhost, durable: true, auto_delete: false, arguments: { 'x-queue-type': 'quorum', ...more } }
  }
  const levels = Array.from({ length: LADDER_LEVELS }, (_, level) => level)
  return {
    vhosts: [{ name: vhost }],
    exchanges: [
      ...[COMMANDS, EVENTS, DEAD].map((name) => exchange(name)),
      exchange(UNROUTED, 'fanout'),
      exchange(RETRY_OUT),
      ...levels.map((level) => exchange(ladderLevelName(level))),
    ],
    queues: [
      queue(UNROUTED),
      ...levels.map((level) => queue(ladderLevelName(level), ladderQueueArguments(level))),
      ...SERVICE_NAMES.flatMap((service) => queueNamesOf(service).map((name) => queue(name))),
    ],
    bindings: createBindings(vhost, levels),
    policies: createPolicies(vhost),
    ...createPermissions({ vhost, userPrefix: options.userPrefix ?? 'gh-' }),
  }
}

/** The names of all queues of a service. */
export function queueNamesOf(service: ServiceName): string[] {
  return [...LANES.flatMap((lane) => [inboxOf(service, lane), dueQueueOf(service, lane)]), deadQueueOf(service)]
}

function ladderQueueArguments(level: number): Arguments {
  return {
    'x-message-ttl': LADDER_STEP_MS * 2 ** level,
    'x-dead-letter-exchange': belowLadderLevel(level),
    // NOTE: at-least-once silently becomes at-most-once unless the overflow is reject-publish.
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  }
}

function createBindings(vhost: string, levels: number[]): Binding[] {
  const bind = (source: string, key: string, destination: string, type: Binding['destination_type'] = 'queue'): Binding => {
    return { source, vhost, destination, destination_type: type, routing_key: key, arguments: {} }
  }
  const ofLane = (service: ServiceName, lane: Lane): Binding[] => [
    bind(COMMANDS, `${lane}.${service}.#`, inboxOf(service, lane)),
    bind(RETRY_OUT, ladderExitPattern(service, lane), dueQueueOf(service, lane)),
  ]
  const events = Object.entries(EVENT_HANDLERS) as [string, readonly ServiceName[]][]
  return [
    bind(UNROUTED, '', UNROUTED),
    ...levels.flatMap((level) => [
      bind(ladderLevelName(level), ladderPattern(level, '1'), ladderLevelName(level)),
      bind(ladderLevelName(level), ladderPattern(level, '0'), belowLadderLevel(level), 'exchange'),
    ]),
    ...SERVICE_NAMES.flatMap((service) => [
      ...LANES.flatMap((lane) => ofLane(service, lane)),
      bind(DEAD, service, deadQueueOf(service)),
    ]),
    ...events.flatMap(([type, services]) =>
      services.flatMap((service) => LANES.map((lane) => bind(EVENTS, `${lane}.${type}.#`, inboxOf(service, lane)))),
    ),
  ]
}

function createPolicies(vhost: string): Policy[] {
  const policy = (name: string, to: Policy['apply-to'], pattern: string, definition: Arguments): Policy => {
    return { vhost, name, pattern, 'apply-to': to, definition, priority: 10 }
  }
  return [
    policy('gh-ae', 'exchanges', '^gh\\.(commands|dead|retry\\.out)$', { 'alternate-exchange': UNROUTED }),
    policy('gh-unrouted', 'queues', '^gh\\.unrouted$', {
      'max-length': DEAD_LENGTH_MAX,
      overflow: 'reject-publish',
      'delivery-limit': BROWSING_DELIVERY_LIMIT,
    }),
    ...SERVICE_NAMES.flatMap((service) => {
      const toDead: Arguments = {
        'dead-letter-exchange': DEAD,
        'dead-letter-routing-key': service,
        'dead-letter-strategy': 'at-least-once',
        overflow: 'reject-publish',
        'delivery-limit': DELIVERY_LIMIT,
      }
      return [
        policy(`gh-${service}-work`, 'queues', `^gh\\.${service}(\\.urgent)?$`, { ...toDead, 'max-length': INBOX_LENGTH_MAX }),
        // No max-length: a full due queue would hold up the retries of every other service in the ladder they share.
        policy(`gh-${service}-due`, 'queues', `^gh\\.${service}(\\.urgent)?\\.due$`, toDead),
        policy(`gh-${service}-dead`, 'queues', `^gh\\.${service}\\.dead$`, {
          'max-length': DEAD_LENGTH_MAX,
          overflow: 'reject-publish',
          'delivery-limit': BROWSING_DELIVERY_LIMIT,
        }),
      ]
    }),
  ]
}
