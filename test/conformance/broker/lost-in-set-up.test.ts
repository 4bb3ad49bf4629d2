import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startCuttableProxy } from '../../environment/cuttable-proxy.ts'
import { onEachBroker } from './on-each-broker.ts'

/** From the first byte of the greeting to the last answer to a consumer: about 900 bytes come from the broker. */
const CUTS_AFTER_BYTES = Array.from({ length: 20 }, (_, index) => 1 + index * 45)

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Cuts its first connections, each after so many bytes from the broker; lets the later ones be. */
async function startFailingProxy(brokerUrl: string, cutsAfterBytes: readonly number[]) {
  const url = new URL(brokerUrl)
  const target = { host: url.hostname, port: Number(url.port) }
  const left = [...cutsAfterBytes]
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(target)
    const limit = left.shift() ?? Number.POSITIVE_INFINITY
    let bytes = 0
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, limit - bytes))
      bytes += chunk.length
      if (bytes < limit) return
      cuts += 1
      client.destroySoon()
      upstream.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`
  return {
    url: url.href,
    cuts: () => cuts,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

it('ends the process when the connection is lost while the recovery of the client library sets it up (naive)', async () => {
  await using proxy = await startCuttableProxy(broker.url)
  const program = `
    import { connect } from 'amqplib'
    const setup = () => new Promise(() => console.log('setting up'))
    const model = await connect(${JSON.stringify(proxy.url)}, { recovery: { setup, waitForConnect: false } })
    model.on('error', () => {})`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const ended = once(child, 'close')
  await once(child.stdout, 'data')

  proxy.cut()

  expect(await ended).toEqual([1, null])
  expect(errors).toMatch(/Emitted 'error' event on ChannelModel/)
})

it('does not connect at all when the first connection is lost in the handshake (naive)', async () => {
  await using proxy = await startFailingProxy(broker.url, [100])
  const { connect: connectOnce } = await import('amqplib')

  await expect(connectOnce(proxy.url)).rejects.toThrow()
})

it('connects, subscribes and publishes in the end, wherever its connections are lost on the way', async () => {
  await using proxy = await startFailingProxy(broker.url, CUTS_AFTER_BYTES)
  const states: string[] = []
  await using notification = await broker.connect({
    url: proxy.url,
    // The pauses between the attempts are random; here short ones.
    random: () => 0.05,
    metrics: { stateChanged: (state) => states.push(state) },
  })
  await using consumer = await handleNotices(notification, () => done)

  const noticeId = await publishNotice(notification)

  await until(() => consumer.seen.length > 0 && notification.state === 'ready')
  expect(consumer.seen[0]?.noticeId).toBe(noticeId)
  // Those in the greeting, which no connection gets past, and at least one that was open already.
  expect(proxy.cuts()).toBeGreaterThanOrEqual(10)
  expect(states).toContain('connecting')
  await until(async () => (await broker.depth('gh.notification')) === 0)
})
