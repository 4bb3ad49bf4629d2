export { createControlClient } from '../control-client.ts'
export {
  type StartedProcess,
  startProcess,
  WORKER_NAMES,
  type WorkerName,
  workerArguments,
  workerEnvironment,
} from '../processes/start-worker-process.ts'
export { superviseWorkers, type WorkerEvent, type WorkerSet } from '../processes/supervise-workers.ts'
export { prepareParts } from './prepare-parts.ts'
export { type MeasuredSync, runMeasuredSync } from './run-measured-sync.ts'
export { type Parts, startParts } from './start-parts.ts'
export { type System, type SystemOptions, startSystem } from './start-system.ts'
export { type SyncRunView, watchSyncRun } from './watch-sync-run.ts'
