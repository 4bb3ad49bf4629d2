import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startLocalRabbitmq } from '../src/local-rabbitmq.ts'
import { START_TIMEOUT_MS, until } from './broker-under-test.ts'

const log = { info: () => {}, warn: () => {} }
const signal = new AbortController().signal
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gatehouse-local-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it(
  'starts beside another node, keeps its messages over a restart on the same port, and is gone when it is stopped',
  async () => {
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => startLocalRabbitmq({ directory: join(directory, name), log, signal })),
    )
    if (one === undefined || two === undefined) throw new Error('Two were started')
    const model = await connect(one.amqpUrl)
    const channel = await model.createConfirmChannel()
    await channel.assertQueue('kept', { arguments: { 'x-queue-type': 'quorum' } })
    channel.sendToQueue('kept', Buffer.from('x'), { persistent: true })
    await channel.waitForConfirms()
    await model.close()
    const pids = [one.pid, two.pid]
    await two.stop({ kill: true })

    await one.restart()

    const again = await connect(one.amqpUrl)
    expect(await (await again.createChannel()).checkQueue('kept')).toMatchObject({ messageCount: 1 })
    await again.close()
    pids.push(one.pid)
    await one.stop()
    expect(pids.filter(isRunning)).toEqual([])
  },
  START_TIMEOUT_MS,
)

it(
  'finds its messages and its user again when another process starts it in the same folder, on other ports',
  async () => {
    const folder = join(directory, 'kept')
    const first = await startLocalRabbitmq({ directory: folder, log, signal })
    const model = await connect(first.amqpUrl)
    const channel = await model.createConfirmChannel()
    await channel.assertQueue('kept', { arguments: { 'x-queue-type': 'quorum' } })
    channel.sendToQueue('kept', Buffer.from('x'), { persistent: true })
    await channel.waitForConfirms()
    await model.close()
    await first.stop()

    const second = await startLocalRabbitmq({ directory: folder, log, signal })

    const again = await connect(second.amqpUrl)
    expect(second.amqpUrl).not.toBe(first.amqpUrl)
    expect(await (await again.createChannel()).checkQueue('kept')).toMatchObject({ messageCount: 1 })
    await again.close()
    await second.stop()
  },
  START_TIMEOUT_MS,
)

it(
  'does not outlive a process that is killed',
  async () => {
    const script = join(import.meta.dirname, 'start-and-stay.ts')
    const child = spawn(process.execPath, [script, join(directory, 'three')], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output] = (await once(child.stdout, 'data')) as [Buffer]
    const pid = Number(output.toString())
    expect(isRunning(pid)).toBe(true)

    child.kill('SIGKILL')

    await until(() => !isRunning(pid), 60_000)
  },
  START_TIMEOUT_MS,
)
