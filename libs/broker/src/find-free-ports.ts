import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'

/**
 * Below those from which Linux (32768), Windows and macOS (49152) give a port to whoever opens a connection: otherwise one of our own
 * connections could have the port before the one it was found for listens there, or while that one is started again.
 */
const FIRST = 20_000
const AFTER_LAST = 30_000
const TRIES_MAX = 200

/**
 * Loopback ports that nobody listens on at this moment, all different.
 * @throws the error of the last try when so many in a row are taken.
 */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (let tried = 1; servers.length < count; tried++) {
      try {
        servers.push(await listenOn(randomInt(FIRST, AFTER_LAST)))
      } catch (error) {
        if (tried >= TRIES_MAX) throw error
      }
    }
    return servers.map((server) => (server.address() as { port: number }).port)
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return server
}
