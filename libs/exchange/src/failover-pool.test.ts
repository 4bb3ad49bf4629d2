import { RetryableError } from '@gatehouse/messages'
import { type Command, emptyResult, type InvocationResult, type RunspacePool } from '@gatehouse/powershell'
import { describe, expect, it } from 'vitest'
import { FailoverPool } from './failover-pool.ts'

const signal = new AbortController().signal
const OK: InvocationResult = { ...emptyResult(), durationMs: 1 }
const command = (): Command => ({ name: 'Get-CASMailbox', parameters: {} })
const unreachable = () => new RetryableError('wsman-connect-failed', 'refused', { detail: { mayHaveRun: false } })

function createWorld() {
  const world = { now: 0, dead: new Set<string>(), opened: [] as string[], closed: [] as string[], invoked: [] as string[] }
  const createPool = (url: string): RunspacePool => ({
    state: 'opened',
    prepare: () => {},
    stats: () => {
      throw new Error('Not asked for')
    },
    invoke: async () => {
      await Promise.resolve()
      if (world.dead.has(url)) throw unreachable()
      world.invoked.push(url)
      return OK
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.resolve()
      world.closed.push(url)
    },
  })
  const pool = new FailoverPool<string>({
    primaryUrl: 'primary',
    otherUrls: () => Promise.resolve(['primary', 'second']),
    open: async (url) => {
      await Promise.resolve()
      if (world.dead.has(url)) throw new RetryableError('exchange-unreachable', 'refused')
      world.opened.push(url)
      return { pool: createPool(url), info: url }
    },
    deadForMs: 1_000,
    now: () => world.now,
    onChange: () => {},
  })
  return { world, pool, invoke: () => pool.invoke(command, { signal, timeoutMs: 1_000 }) }
}

describe('a pool with failover', () => {
  it('opens once, for everybody who waits', async () => {
    const { world, invoke } = createWorld()

    await Promise.all([invoke(), invoke(), invoke()])

    expect(world).toMatchObject({ opened: ['primary'], invoked: ['primary', 'primary', 'primary'] })
  })

  it('goes to another server when the primary cannot be reached', async () => {
    const { world, pool, invoke } = createWorld()
    world.dead.add('primary')

    await invoke()

    expect(pool.url).toBe('second')
  })

  it('fails the command that met a dying server and sends the next one elsewhere', async () => {
    const { world, invoke } = createWorld()
    await invoke()
    world.dead.add('primary')

    await expect(invoke()).rejects.toMatchObject({ code: 'exchange-unreachable' })
    await invoke()

    expect(world).toMatchObject({ invoked: ['primary', 'second'], closed: ['primary'] })
  })

  it('returns to the primary when that answers again', async () => {
    const { world, pool, invoke } = createWorld()
    world.dead.add('primary')
    await invoke()
    world.dead.clear()
    world.now = 1_000

    await invoke()
    while (pool.url !== 'primary') await Promise.resolve()
    await invoke()

    expect(world).toMatchObject({ invoked: ['second', 'second', 'primary'], closed: ['second'] })
  })

  it('says that Exchange is unreachable when no server answers', async () => {
    const { world, invoke } = createWorld()
    world.dead.add('primary').add('second')

    await expect(invoke()).rejects.toMatchObject({ code: 'exchange-unreachable' })
    world.dead.delete('primary')
    await invoke()

    expect(world.invoked).toEqual(['primary'])
  })

  it('lets whoever aborts go, and not the others who wait for the same opening', async () => {
    const { pool, invoke } = createWorld()
    const stop = new AbortController()
    const aborted = pool.invoke(command, { signal: stop.signal, timeoutMs: 1_000 })
    const other = invoke()

    stop.abort(new Error('Gone'))

    await expect(aborted).rejects.toThrow('Gone')
    await expect(other).resolves.toBe(OK)
  })

  it('closes what it opened and refuses more', async () => {
    const { world, pool, invoke } = createWorld()
    await invoke()

    await pool[Symbol.asyncDispose]()

    expect(world.closed).toEqual(['primary'])
    await expect(invoke()).rejects.toMatchObject({ code: 'exchange-closed' })
  })
})
