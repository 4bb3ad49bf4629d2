import { runWorker } from '@gatehouse/worker'
import { startDiscovery } from './start-discovery.ts'

await runWorker({ name: 'discovery', argv: process.argv.slice(2), env: process.env, start: startDiscovery })
