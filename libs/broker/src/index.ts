export { type ApplyTopologyOptions, applyTopology } from './apply-topology.ts'
export { Breaker, type BreakerOptions, type Pause } from './breaker.ts'
export type {
  BrokerConnection,
  BrokerLog,
  BrokerMetrics,
  BrokerOptions,
  BrokerState,
  BrokerStats,
  Consumer,
  ConsumerOptions,
  ConsumerStats,
  HandledOutcome,
  Handler,
  MessageContext,
  PublishOptions,
  RawPublication,
} from './broker-options.ts'
export { ConcurrencyLimit } from './concurrency-limit.ts'
export { connectBroker } from './connect-broker.ts'
export { type BrokerUser, createDefinitions, type NodeDefinitions, saltOf } from './create-definitions.ts'
export { createTopology, type Definitions, INBOX_LENGTH_MAX, queueNamesOf } from './create-topology.ts'
export { DEAD_LETTER_SOURCES, type DeadLetter, type DeadLetterSource, letterQueueOf } from './dead-letters/dead-letter.ts'
export { planReplay, type ReplayPlan } from './dead-letters/plan-replay.ts'
export { putDeadLetter, type StoredLetter, toStoredLetter } from './dead-letters/put-dead-letter.ts'
export { type ReadDeadLettersOptions, readDeadLetters } from './dead-letters/read-dead-letters.ts'
export { type LetterVerdict, type VisitOptions, type VisitResult, visitDeadLetters } from './dead-letters/visit-dead-letters.ts'
export {
  LADDER_DELAY_MS_MAX,
  LADDER_LEVELS,
  LADDER_STEP_MS,
  ladderLevelName,
  ladderLevelOf,
  ladderRoute,
} from './delay-ladder.ts'
export { createDependency, createJointDependency, type Dependency, type DependencyFailure } from './dependency.ts'
export { stripBrokerHeaders } from './message-headers.ts'
export { type ReadDelivery, readDelivery } from './read-delivery.ts'
export { EVENT_HANDLERS, handlersOf, SERVICE_NAMES, type ServiceName } from './service-names.ts'
export { COMMANDS, DEAD, deadQueueOf, dueQueueOf, EVENTS, inboxOf, UNROUTED } from './topology-names.ts'
