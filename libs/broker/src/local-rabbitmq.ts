export { type ChosenBroker, chooseBroker } from './choose-broker.ts'
export { ensureRabbitmqServer } from './ensure-rabbitmq-server.ts'
export { findFreePorts } from './find-free-ports.ts'
export { type LocalRabbitmq, startLocalRabbitmq } from './start-local-rabbitmq.ts'
