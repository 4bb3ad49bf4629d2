import type { Span, Tracer } from '@gatehouse/tracing'
import type { readFacts } from './message-headers.ts'
import type { Delivery } from './queue-subscription.ts'

/** Begins the span of the handling of a delivery, in the trace that its message came with. */
export function startProcessSpan(delivery: Delivery, facts: ReturnType<typeof readFacts>, tracer: Tracer): Span {
  const { queue, lane, raw } = delivery
  return tracer.start(`process ${queue}`, {
    kind: 'consumer',
    parent: facts.trace,
    attributes: () => ({
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': queue,
      'messaging.rabbitmq.destination.routing_key': String(raw.properties.headers?.['gh-origin-key'] ?? raw.fields.routingKey),
      'messaging.message.id': String(raw.properties.messageId),
      'messaging.message.body.size': raw.content.length,
      'gatehouse.message.type': String(raw.properties.type),
      'gatehouse.message.lane': lane,
      'gatehouse.message.attempt': facts.attempt,
    }),
  })
}
