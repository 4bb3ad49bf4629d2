// Whether something listens on a port of this container.
import { connect } from 'node:net'

const socket = connect({ port: Number(process.argv[2]), host: '127.0.0.1', timeout: 4_000 })
socket.once('connect', () => process.exit(0))
for (const event of ['error', 'timeout'] as const) socket.once(event, () => process.exit(1))
