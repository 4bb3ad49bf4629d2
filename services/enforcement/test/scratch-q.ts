import { createDatabase } from '@gatehouse/store'
const s = createDatabase({ url: process.argv[2]!, applicationName: 'q', connectionsMax: 1, onConnectionError: console.error })
for (const q of process.argv.slice(3)) console.table((await s.pool.query(q)).rows)
await s[Symbol.asyncDispose]()
