import { isMessageType, type Lane, type MessageType, parseRoutingKey } from '@gatehouse/messages'
import type { RawPublication } from '../broker-options.ts'
import { ladderRoute } from '../delay-ladder.ts'
import type { Headers } from '../message-headers.ts'
import { readDelivery } from '../read-delivery.ts'
import { handlersOf, type ServiceName } from '../service-names.ts'
import { dueQueueOf, exchangeOf, inboxOf } from '../topology-names.ts'
import type { DeadLetter } from './dead-letter.ts'

export type ReplayPlan =
  | { readonly kind: 'send'; readonly publication: RawPublication; readonly queues: readonly string[] }
  /** `code`: `malformed`, `unknown-type`, `newer-version`, `type-mismatch`, `no-origin`, `no-route`. */
  | { readonly kind: 'refused'; readonly code: string; readonly why: string }

/** Of a message's headers, what is about its last life and not about it. */
const OF_LAST_LIFE = /^gh-(attempt|reason|handler|queue|dead-at|first-failed-at|waiting-since|error-|issues|origin-|replay)/

/**
 * How a dead letter is sent again: to the exchange and by the key it was first published with, or to one service and lane if
 * `to` says so; with its id, so that whoever has handled it knows it again, and as at its first attempt. What today's schema
 * refuses, and what no inbox takes, is not sent: it would be dead again, or lost among the unrouted.
 */
export function planReplay(
  letter: DeadLetter,
  options: { replayId: string; to?: { service: ServiceName; lane: Lane } | undefined },
): ReplayPlan {
  const read = readDelivery(letter.content)
  if (read.kind === 'malformed') return { kind: 'refused', code: 'malformed', why: `${read.problem}: ${read.issues}` }
  if (read.kind === 'unknown')
    return {
      kind: 'refused',
      code: read.reason,
      why: `This build does not know ${read.reason === 'unknown-type' ? 'the type' : 'the version'} of the message`,
    }
  const route = options.to === undefined ? routeToOrigin(letter, read.message.type) : routeTo(options.to, read.message.type)
  if ('code' in route) return { kind: 'refused', ...route }
  const publication = {
    exchange: route.exchange,
    routingKey: route.routingKey,
    content: letter.content,
    messageId: read.message.messageId,
    type: read.message.type,
    headers: replayHeaders(letter, options.replayId),
  }
  return { kind: 'send', publication, queues: route.queues }
}

type Route = { exchange: string; routingKey: string; queues: string[] }
type Refusal = { code: string; why: string }

function routeToOrigin({ origin }: DeadLetter, type: MessageType): Route | Refusal {
  if (origin === undefined) return { code: 'no-origin', why: 'Nothing tells where it was published to: say where with --to' }
  const key = parseRoutingKey(origin.routingKey)
  if (key === undefined || !isMessageType(key.type) || exchangeOf(key.type) !== origin.exchange)
    return { code: 'no-route', why: `No inbox takes ${origin.routingKey} from ${origin.exchange}: say where with --to` }
  if (key.type !== type) return { code: 'type-mismatch', why: `It was published as ${key.type} and says it is ${type}` }
  return { ...origin, queues: handlersOf(type).map((service) => inboxOf(service, key.lane)) }
}

function routeTo(to: { service: ServiceName; lane: Lane }, type: MessageType): Route | Refusal {
  const services = handlersOf(type)
  if (!services.includes(to.service))
    return { code: 'no-route', why: `${to.service} does not handle ${type}; ${services.join(', ')} does` }
  const { exchange, routingKey } = ladderRoute(0, to)
  return { exchange, routingKey, queues: [dueQueueOf(to.service, to.lane)] }
}

function replayHeaders({ headers, replays }: DeadLetter, replayId: string): Headers {
  const kept = Object.entries(headers).filter(([name]) => !OF_LAST_LIFE.test(name))
  return { ...Object.fromEntries(kept), 'gh-attempt': 1, 'gh-replay-id': replayId, 'gh-replays': replays + 1 }
}
