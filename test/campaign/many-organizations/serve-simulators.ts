import { once } from 'node:events'
import { type ServeOrganizationsOptions, serveOrganizations } from '@gatehouse/simulators'

// node test/campaign/many-organizations/serve-simulators.ts '<ServeOrganizationsOptions as JSON>'
// Prints one JSON line when it serves, and does so until SIGTERM.
const { ready, stop } = await serveOrganizations(JSON.parse(process.argv[2] ?? '{}') as ServeOrganizationsOptions)
process.stdout.write(`${JSON.stringify({ ready: true, ...ready })}\n`)
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
await stop()
