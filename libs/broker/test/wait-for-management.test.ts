import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { waitForManagement } from '../src/wait-for-management.ts'

it('waits until the node listens for AMQP, which it may do after the management API answers', async () => {
  const answers = [404, 401, 503, 503, 200]
  const paths: (string | undefined)[] = []
  const server = createServer((request, response) => {
    paths.push(request.url)
    response.writeHead(answers[paths.length - 1] ?? 200).end('{"status":"ok"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const access = { managementUrl: `http://127.0.0.1:${port}`, user: 'gatehouse', password: 'p', amqpPort: 5_672 }

  const isReady = await waitForManagement(access, new AbortController().signal)
  await new Promise((resolve) => server.close(resolve))

  expect(isReady).toBe(true)
  expect(paths).toEqual(answers.map(() => '/api/health/checks/port-listener/5672'))
})
