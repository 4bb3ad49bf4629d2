export { type ApplyTopologyOptions, applyTopology } from './apply-topology.ts'
export type {
  BrokerConnection,
  BrokerLog,
  BrokerMetrics,
  BrokerOptions,
  BrokerState,
  Consumer,
  ConsumerOptions,
  HandledOutcome,
  Handler,
  MessageContext,
  PublishOptions,
  RawPublication,
} from './broker-options.ts'
export { connectBroker } from './connect-broker.ts'
export { createTopology, type Definitions, queueNamesOf } from './create-topology.ts'
export { LADDER_DELAY_MS_MAX, LADDER_STEP_MS, ladderRoute } from './delay-ladder.ts'
export { stripBrokerHeaders } from './message-headers.ts'
export { type DeadLetter, type ReadDeadLettersOptions, readDeadLetters } from './read-dead-letters.ts'
export { EVENT_HANDLERS, SERVICE_NAMES, type ServiceName } from './service-names.ts'
export { COMMANDS, DEAD, deadQueueOf, dueQueueOf, EVENTS, inboxOf, UNROUTED } from './topology-names.ts'
