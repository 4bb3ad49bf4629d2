import { fileURLToPath } from 'node:url'
import { WORKER_NAMES, type WorkerName, workerScriptOf } from './processes/start-worker-process.ts'

/** The worker that `gatehouse worker <name> …` names, if the arguments of the process are that. */
export function workerOf(argv: readonly string[]): WorkerName | undefined {
  return argv[2] === 'worker' ? WORKER_NAMES.find((name) => name === argv[3]) : undefined
}

/** Makes this process that worker, with the arguments that follow its name: one process in a container, and signals reach it. */
export async function becomeWorker(worker: WorkerName, process: NodeJS.Process): Promise<void> {
  const script = workerScriptOf(worker)
  process.argv = [process.execPath, fileURLToPath(script), ...process.argv.slice(4)]
  await import(script.href)
}
