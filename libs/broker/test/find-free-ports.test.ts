import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { findFreePorts } from '../src/local-rabbitmq.ts'

/** From here on Linux gives ports to those who open connections (ip_local_port_range); Windows and macOS begin above. */
const EPHEMERAL_FIRST = 32_768

it('finds ports that can be listened on, all different, and none that a connection could be given meanwhile', async () => {
  const ports = await findFreePorts(40)

  expect(new Set(ports).size).toBe(40)
  expect(Math.max(...ports)).toBeLessThan(EPHEMERAL_FIRST)
  for (const port of ports) {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
    await new Promise((resolve) => server.close(resolve))
  }
})
