import { runWorker } from '@gatehouse/worker'
import { startEnforcement } from './start-enforcement.ts'

await runWorker({ name: 'enforcement', argv: process.argv.slice(2), env: process.env, start: startEnforcement })
