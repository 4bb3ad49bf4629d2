import { randomUUID } from 'node:crypto'
import { done, PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { startCuttableProxy } from '../../../test/environment/cuttable-proxy.ts'
import { applyTopology, EVENTS, inboxOf, queueNamesOf, SERVICE_NAMES } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

describe('the topology', () => {
  it('may be applied again', async () => {
    await applyTopology({ ...broker.admin, vhost: broker.vhost, usersPasswords: {} }, broker.signal)

    for (const service of SERVICE_NAMES) for (const queue of queueNamesOf(service)) expect(await broker.depth(queue)).toBe(0)
  })

  it('names what exists in another shape, since an import would pass over it without a word', async () => {
    const vhost = `${broker.vhost}-odd`
    await broker.manage({ method: 'PUT', path: `/api/vhosts/${vhost}`, body: {} })
    const classic = { durable: true, arguments: { 'x-queue-type': 'classic' } }
    await broker.manage({ method: 'PUT', path: `/api/queues/${vhost}/gh.control`, body: classic })

    const applying = applyTopology({ ...broker.admin, vhost, usersPasswords: {} }, broker.signal)

    await expect(applying).rejects.toMatchObject({
      code: 'topology-differs',
      message: expect.stringMatching(/queue gh\.control differs in x-queue-type/),
    })
    await broker.manage({ method: 'DELETE', path: `/api/vhosts/${vhost}` })
  })

  it('says that the password is wrong, or that nobody answers', async () => {
    const apply = (more: object) => applyTopology({ ...broker.admin, vhost: 'x', usersPasswords: {}, ...more }, broker.signal)

    await expect(apply({ password: 'wrong' })).rejects.toMatchObject({ code: 'broker-unauthorized' })
    await expect(apply({ managementUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'management-unreachable' })
  })

  it("does not let a worker declare anything, read another's queue or write where it may not", async () => {
    const model = await broker.raw('discovery')
    const attempt = async (act: (channel: Awaited<ReturnType<typeof model.createChannel>>) => Promise<unknown>) => {
      const channel = await model.createChannel()
      channel.on('error', () => {})
      await act(channel)
    }

    await expect(attempt((channel) => channel.assertQueue('mine'))).rejects.toThrow(/ACCESS_REFUSED/)
    await expect(attempt((channel) => channel.consume('gh.enforcement', () => {}))).rejects.toThrow(/ACCESS_REFUSED/)
    await expect(attempt((channel) => channel.consume('gh.discovery.dead', () => {}))).rejects.toThrow(/ACCESS_REFUSED/)
    await model.close()
  })
})

describe('publishing', () => {
  it('hands a message to the service that owns it, in its lane, with the rights of the workers', async () => {
    await using control = await broker.connect({ as: 'control' })
    await using notification = await broker.connect({ as: 'notification' })
    await using consumer = await handleNotices(notification, () => done)

    const noticeId = await publishNotice(control, { lane: 'urgent' })

    await until(() => consumer.seen.length === 1)
    expect(consumer.seen[0]).toMatchObject({ noticeId, context: { lane: 'urgent', attempt: 1, redelivered: false } })
    await until(async () => (await broker.depth(inboxOf('notification', 'urgent'))) === 0)
  })

  it('refuses a message that no queue takes', async () => {
    await using control = await broker.connect()
    const publication = { content: Buffer.from('{}'), messageId: randomUUID(), type: 'mailbox.moved', headers: {} }

    const publishing = control.publishRaw(
      { exchange: EVENTS, routingKey: 'bulk.mailbox.moved.v1', ...publication },
      broker.signal,
    )

    await expect(publishing).rejects.toMatchObject({ name: 'PermanentError', code: 'unroutable' })
  })

  it('refuses a field that is not what the schema says, before anything is sent', async () => {
    await using control = await broker.connect()

    const publishing = control.publish('notification.send-notice', { noticeId: 'x' }, { lane: 'bulk', signal: broker.signal })

    await expect(publishing).rejects.toThrow(/noticeId/)
  })

  it('fails only the publication that is not allowed; the others on the same channel are sent again', async () => {
    await using discovery = await broker.connect({ as: 'discovery' })
    const fields = { organizationId: randomUUID(), mailboxId: randomUUID(), syncRunId: randomUUID() }
    const options = { lane: 'bulk', signal: broker.signal } as const

    const results = await Promise.allSettled([
      ...Array.from({ length: 50 }, () => discovery.publish('mailbox.observed', fields, options)),
      discovery.publish('mailbox.decided', { ...fields, decisionVersion: 1 }, options),
      ...Array.from({ length: 50 }, () => discovery.publish('mailbox.observed', fields, options)),
    ])

    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused.map(({ reason }) => reason)).toEqual([expect.any(RetryableError)])
    expect(refused[0]?.reason).toMatchObject({ code: 'publish-refused', message: expect.stringContaining('mailbox.decided') })
    expect(await broker.depth('gh.compliance-lookup')).toBeGreaterThanOrEqual(100)
  })

  it('does not lose what was unconfirmed when the wire was cut', async () => {
    await using proxy = await startCuttableProxy(broker.url)
    await using control = await broker.connect({ url: proxy.url, unconfirmedMax: 50 })
    const publishing = Promise.all(Array.from({ length: 2_000 }, () => publishNotice(control)))
    await until(async () => (await broker.depth('gh.notification')) > 100)

    proxy.cut()

    const sent = await publishing
    await using notification = await broker.connect()
    await using consumer = await handleNotices(notification, () => done, { concurrency: 100 })
    const seen = () => new Set(consumer.seen.map(({ noticeId }) => noticeId))
    await until(() => seen().size >= 2_000)
    expect([...seen()].sort()).toEqual(sent.sort())
  })

  it('keeps a full queue from being overshot by more than the window, and gets through once there is room (T4)', async () => {
    const limit = { pattern: '^gh\\.control$', 'apply-to': 'queues', priority: 20 }
    const definition = { 'max-length': 10, overflow: 'reject-publish', 'delivery-limit': 20 }
    const path = `/api/policies/${broker.vhost}/tiny`
    await broker.manage({ method: 'PUT', path, body: { ...limit, definition } })
    await using control = await broker.connect({ unconfirmedMax: 5 })
    const publish = () =>
      control.publish(
        'sync.progressed',
        { syncRunId: randomUUID(), stage: 'deciding', counts: {} },
        { lane: 'bulk', signal: broker.signal },
      )

    const publishing = Promise.all(Array.from({ length: 40 }, publish))
    await until(async () => (await broker.depth('gh.control')) >= 10)
    const depth = await broker.depth('gh.control')
    await broker.manage({ method: 'DELETE', path })

    await publishing
    expect(depth).toBeLessThanOrEqual(15)
    expect(await broker.depth('gh.control')).toBe(40)
  })

  it('stops trying when the signal says so', async () => {
    await using proxy = await startCuttableProxy(broker.url)
    await using control = await broker.connect({ url: proxy.url })
    const abort = new AbortController()
    proxy.refuse(true)
    proxy.cut()
    await until(() => control.state === 'connecting')

    const publishing = publishNotice(control, { signal: abort.signal })
    abort.abort(new PermanentError('enough', 'Enough'))

    await expect(publishing).rejects.toMatchObject({ code: 'enough' })
    proxy.refuse(false)
    await until(() => control.state === 'ready')
  })
})

describe('connecting', () => {
  it('says who could not be reached, and why, when it may wait no longer', async () => {
    const { connectBroker } = await import('../src/index.ts')
    const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }
    const options = { connectionName: 't', log, unconfirmedMax: 1, prefetchMax: 1, maxAttempts: 1, laterAgeMsMax: 1 }

    const connecting = connectBroker({ ...options, url: 'amqp://me:secret@127.0.0.1:1/v' }, AbortSignal.timeout(1_000))

    const error = await connecting.catch((caught) => caught)
    expect(error).toMatchObject({ code: 'broker-unreachable', cause: { code: 'ECONNREFUSED' } })
    expect(error.message).toContain('amqp://me@127.0.0.1:1/v')
  })
})
