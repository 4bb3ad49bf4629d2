import { beforeEach, describe, expect, test } from 'vitest'
import { HandDrivenClock } from '../../test/hand-driven-clock.ts'
import { ClientPool } from '../protocol/client-pool.ts'
import type { Command } from '../protocol/command.ts'
import { cutIntoFragments } from '../protocol/fragments.ts'
import { MESSAGE_TYPES, writeMessage } from '../protocol/message.ts'
import { PsCredential } from '../protocol/ps-credential.ts'
import type { PsData } from '../protocol/ps-data.ts'
import { PsSecureString } from '../protocol/ps-secure-string.ts'
import { type ServerEvent, ServerPool } from '../protocol/server-pool.ts'
import type { ReceivedAnswer, RemoteShell } from './remote-shell.ts'
import { Runspace } from './runspace.ts'

/** A shell whose server is in the same process: what arrives for it goes straight into a ServerPool. */
class NearbyShell implements RemoteShell {
  readonly address = { shellId: 'nearby', url: 'memory:', cookie: undefined }
  readonly fragmentBytesMax = 2_000
  readonly client: ClientPool
  readonly server: ServerPool
  private readonly wakers = new Set<() => void>()
  private broken: Error | undefined

  constructor(client: ClientPool, server: ServerPool) {
    this.client = client
    this.server = server
  }

  /** Called for everything that the server understood. */
  onEvent: (event: ServerEvent) => void = () => {}
  /** What is sent to the pool itself is lost. */
  isDeaf = false

  wake(): void {
    for (const waker of [...this.wakers]) waker()
  }

  async create(): Promise<void> {
    this.take(this.client.open(this.fragmentBytesMax), undefined)
  }

  growEnvelope(): void {}

  async startCommand(pipelineId: string, first: Buffer): Promise<void> {
    this.take(first, pipelineId)
  }

  async send(pipelineId: string | undefined, fragment: Buffer): Promise<void> {
    if (pipelineId !== undefined || !this.isDeaf) this.take(fragment, pipelineId)
  }

  async receive(pipelineId: string | undefined): Promise<ReceivedAnswer> {
    while (this.broken === undefined && !this.server.hasBytes(pipelineId)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.wakers.add(resolve)
      await promise
      this.wakers.delete(resolve)
    }
    if (this.broken !== undefined) throw this.broken
    const chunks = [this.server.take(pipelineId, 10_000)]
    return { looksUnfinished: false, read: () => ({ chunks, isDone: false }) }
  }

  async signal(pipelineId: string, kind: 'terminate' | 'stop'): Promise<void> {
    if (kind === 'stop') this.server.state(pipelineId, 'stopped')
    else this.server.forget(pipelineId)
    this.wake()
  }

  async delete(): Promise<void> {}

  async reset(): Promise<void> {
    this.broken = new Error('The shell was reset')
    this.wake()
  }

  async destroy(): Promise<void> {
    await this.reset()
  }

  private take(bytes: Buffer, pipelineId: string | undefined): void {
    for (const event of this.server.receive(bytes, pipelineId)) this.onEvent(event)
    this.wake()
  }
}

const POOL = '11111111-2222-3333-4444-555555555555'
const GET: Command = { name: 'Get-X', parameters: {} }
const options = { stop: new AbortController().signal, timeoutMs: 60_000 }
let clock: HandDrivenClock
let shell: NearbyShell
let runspace: Runspace

beforeEach(() => {
  clock = new HandDrivenClock()
  shell = createShell()
  runspace = createRunspace(shell)
})

function createShell(client = new ClientPool({ runspacePoolId: POOL })): NearbyShell {
  const created: NearbyShell = new NearbyShell(client, new ServerPool({ onBytes: () => created.wake() }))
  return created
}

function createRunspace(of: NearbyShell): Runspace {
  return new Runspace({ shell: of, clock, stopMs: 1_000, resultBytesMax: 100_000_000, onThrottled: () => {} })
}

/** Every pipeline answers what `answer` makes of its first parameter. */
function answerWith(answer: (value: PsData | undefined, pipelineId: string) => void): void {
  shell.onEvent = (event) => {
    if (event.kind !== 'pipeline') return
    answer(event.commands[0]?.parameters[0]?.value, event.pipelineId)
    shell.server.state(event.pipelineId, 'completed')
  }
}

describe('a runspace', () => {
  test('exchanges keys before the first command that holds a SecureString, and once', async () => {
    await runspace.open(async () => {})
    const seen: string[] = []
    answerWith((value) => seen.push((value as PsSecureString).reveal()))

    await runspace.run({ name: 'Set-X', parameters: { Value: new PsSecureString('one') } }, options)
    const before = shell.client.sessionKey.isReady
    await runspace.run({ name: 'Set-X', parameters: { Value: new PsSecureString('two') } }, options)

    expect([before, ...seen]).toEqual([true, 'one', 'two'])
  })

  test('exchanges keys once for commands that need them at the same time', async () => {
    await runspace.open(async () => {})
    const other = createRunspace(shell)
    const seen: string[] = []
    answerWith((value) => seen.push((value as PsSecureString).reveal()))
    const run = (of: Runspace, text: string) =>
      of.run({ name: 'Set-X', parameters: { Value: new PsSecureString(text) } }, options)

    await Promise.all([run(runspace, 'one'), run(other, 'two')])

    expect(seen.sort()).toEqual(['one', 'two'])
  })

  test('can reveal a SecureString that a cmdlet answers', async () => {
    await runspace.open(async () => {})
    shell.server.sessionKey.createKey()
    answerWith((_value, pipelineId) => shell.server.output(pipelineId, new PsSecureString('from there')))

    const { output } = await runspace.run(GET, options)

    const value = output[0]?.value
    expect(value instanceof PsSecureString && value.reveal()).toBe('from there')
    expect(runspace.lostBecause).toBeUndefined()
  })

  test('is lost when the server does not exchange keys in time', async () => {
    await runspace.open(async () => {})
    shell.isDeaf = true
    const started = Promise.withResolvers<void>()
    const request = shell.client.requestSessionKey.bind(shell.client)
    shell.client.requestSessionKey = async (bytes) => {
      const fragments = await request(bytes)
      started.resolve()
      return fragments
    }

    const running = runspace.run({ name: 'Set-X', parameters: { Login: new PsCredential('u', 'p') } }, options)
    await started.promise
    clock.advance(30_000)

    await expect(running).rejects.toMatchObject({
      code: 'psrp-session-key-timeout',
      detail: { mayHaveRun: false, shellLost: true },
    })
    expect(runspace.lostBecause).toMatchObject({ code: 'psrp-session-key-timeout' })
  })

  test('collects every stream, and counts what is too much of one', async () => {
    await runspace.open(async () => {})
    answerWith((_value, pipelineId) => {
      for (let n = 0; n < 10_003; n++) shell.server.verbose(pipelineId, `v${n}`)
      shell.server.debug(pipelineId, 'd')
      shell.server.information(pipelineId, 'i')
    })

    const result = await runspace.run(GET, options)

    expect(result.verbose).toHaveLength(10_000)
    expect(result).toMatchObject({ recordsDropped: 3, debug: ['d'], information: [{ text: 'i' }], progress: [] })
  })

  test('tells before anything is sent that the pool has broken meanwhile', async () => {
    await runspace.open(async () => {})
    shell.server.poolState('broken')
    shell.client.receive(undefined, shell.server.take(undefined, 10_000))

    await expect(runspace.run(GET, options)).rejects.toMatchObject({
      code: 'runspace-broken',
      detail: { mayHaveRun: false, shellLost: true },
    })
  })

  test('does not wait for a shared pool that has broken for another', async () => {
    const opening = runspace.open(async () => {
      shell.server.poolState('broken')
    })

    await expect(opening).rejects.toMatchObject({ code: 'runspace-broken' })
  })

  test('says so when the server refuses the key, and that nothing has run', async () => {
    await runspace.open(async () => {})
    shell.server.sessionKey.answer = () => 'AAAA'

    const running = runspace.run({ name: 'Set-X', parameters: { Value: new PsSecureString('one') } }, options)

    await expect(running).rejects.toMatchObject({
      code: 'psrp-session-key-refused',
      detail: { mayHaveRun: false, shellLost: true },
    })
  })

  test('does not wait for an answer to a prompt that comes while it opens', async () => {
    shell.create = async () => {
      shell.client.open(2_000)
      const xml = '<Obj RefId="0"><MS><I64 N="ci">1</I64><Obj N="mi" RefId="1"><ToString>ReadLine</ToString></Obj></MS></Obj>'
      const call = { type: MESSAGE_TYPES.runspacePoolHostCall, runspacePoolId: POOL, pipelineId: undefined, xml }
      shell.receive = async () => ({
        looksUnfinished: false,
        read: () => ({ chunks: cutIntoFragments(1, writeMessage('client', call), 2_000), isDone: false }),
      })
    }

    await expect(runspace.open(async () => {})).rejects.toMatchObject({ code: 'cmdlet-prompted' })
  })
})
