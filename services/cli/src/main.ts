#!/usr/bin/env node
import { becomeWorker, workerOf } from './become-worker.ts'

const worker = workerOf(process.argv)
// A worker loads nothing of the command: what it does not need it would carry for as long as it lives.
if (worker !== undefined) await becomeWorker(worker, process)
else {
  const { runCommand } = await import('./run-command.ts')
  await runCommand(process)
}
