import { runWorker } from '@gatehouse/worker'
import { startComplianceLookup } from './start-compliance-lookup.ts'

await runWorker({ name: 'compliance-lookup', argv: process.argv.slice(2), env: process.env, start: startComplianceLookup })
