export { createServerCertificate } from './create-server-certificate.ts'
export { type Cmdlet, type CmdletOutcome, outcome } from './exchange/cmdlets/cmdlet.ts'
export { type ExchangeSimulatorOptions, startExchangeSimulator } from './exchange/start-exchange-simulator.ts'
export type { GraphFaults } from './microsoft/graph-faults.ts'
export {
  type MicrosoftSimulator,
  type MicrosoftSimulatorOptions,
  startMicrosoftSimulator,
} from './microsoft/start-microsoft-simulator.ts'
export { createPopulation, type PopulationOptions } from './population/create-population.ts'
export type { Population, PopulationMailbox, PopulationPartnership, Truth } from './population/population.ts'
export { createSeededRandom, type SeededRandom } from './population/seeded-random.ts'
export { type ServeOptions, type SimulatorsReady, serveSimulators } from './serve.ts'
export {
  type OrganizationsReady,
  type ServedExchange,
  type ServedMicrosoft,
  type ServedOrganization,
  type ServeOrganizationsOptions,
  serveOrganizations,
} from './serve-organizations.ts'
