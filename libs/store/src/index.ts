export { createDatabase, type DatabaseOptions, type Store } from './create-database.ts'
export { migrate } from './migrate.ts'
export type {
  AccessChangePlan,
  AccessLevel,
  BrakeState,
  ConnectorStatus,
  Database,
  NewRow,
  ProblemJson,
  Row,
  SyncType,
} from './schema.ts'
