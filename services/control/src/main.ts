import { runWorker } from '@gatehouse/worker'
import { startControl } from './start-control.ts'

await runWorker({ name: 'control', argv: process.argv.slice(2), env: process.env, start: startControl })
