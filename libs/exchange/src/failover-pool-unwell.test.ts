import { PermanentError, RetryableError } from '@gatehouse/messages'
import { type Command, emptyResult, type InvocationResult, type RunspacePool } from '@gatehouse/powershell'
import { beforeEach, describe, expect, it } from 'vitest'
import { FailoverPool } from './failover-pool.ts'

type Failing = (() => unknown) | undefined
type Change = { from: string | undefined; to: string; reason: string }

const signal = new AbortController().signal
const OK: InvocationResult = { ...emptyResult(), durationMs: 1 }
const DEAD_FOR_MS = 1_000
const command = (): Command => ({ name: 'Get-CASMailbox', parameters: {} })
const notRun = { detail: { mayHaveRun: false } }

const refused = () => new RetryableError('wsman-connect-failed', 'refused', notRun)
const openTooSlow = () => new RetryableError('runspace-open-timeout', 'The runspace did not open', notRun)
const ranTooLong = () => new RetryableError('cmdlet-timeout', 'It ran too long', { detail: { mayHaveRun: true } })
const untrusted = () => new PermanentError('exchange-certificate-untrusted', 'self-signed', notRun)
const wrongPassword = () => new PermanentError('exchange-authentication-failed', '401', notRun)

let now: number
let others: () => Promise<readonly string[]>
/** What opening a pool and running a command answer with, by server; without an entry they succeed. */
let opening: Map<string, Failing>
let running: Map<string, Failing>
/** Held commands, by server: they end when they are released. */
let held: Map<string, PromiseWithResolvers<void>>
let opened: string[]
let closed: string[]
let ran: string[]
let changes: Change[]
let pool: FailoverPool<string>

beforeEach(() => {
  now = 0
  others = () => Promise.resolve(['second', 'third'])
  opening = new Map()
  running = new Map()
  held = new Map()
  opened = []
  closed = []
  ran = []
  changes = []
  pool = new FailoverPool<string>({
    primaryUrl: 'primary',
    otherUrls: () => others(),
    open: async (url) => {
      await Promise.resolve()
      const error = await opening.get(url)?.()
      if (error !== undefined) throw error
      opened.push(url)
      return { pool: createPool(url), info: url }
    },
    deadForMs: DEAD_FOR_MS,
    now: () => now,
    onChange: (change) => changes.push(change),
  })
})

function createPool(url: string): RunspacePool {
  return {
    state: 'opened',
    prepare: () => {},
    stats: () => {
      throw new Error('Not asked for')
    },
    invoke: async () => {
      await Promise.resolve()
      const error = running.get(url)?.()
      if (error !== undefined) throw error
      await held.get(url)?.promise
      ran.push(url)
      return OK
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.resolve()
      closed.push(url)
    },
  }
}

const invoke = () => pool.invoke(command, { signal, timeoutMs: 1_000 })
const fail = async (times: number) => {
  for (let i = 0; i < times; i++) await expect(invoke()).rejects.toThrow()
}
/** Lets everything happen that waits for nothing but its turn. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('a server that is not well', () => {
  for (const [name, failing] of Object.entries({
    'does not open a runspace in time': openTooSlow,
    'takes connections and drops them': () =>
      new RetryableError('exchange-connection-lost', 'reset', { detail: { scope: 'server' } }),
    'answers with nonsense': () => new RetryableError('wsman-malformed', 'not XML', notRun),
  })) {
    it(`is passed over when it ${name}`, async () => {
      opening.set('primary', failing)

      await invoke()

      expect(ran).toEqual(['second'])
    })
  }

  it('is left when it opens no more runspaces for what waits', async () => {
    await invoke()
    running.set('primary', openTooSlow)

    await fail(1)
    await invoke()

    expect({ ran, closed }).toEqual({ ran: ['primary', 'second'], closed: ['primary'] })
  })

  it('is left when one command after another runs out of time, once another server is open', async () => {
    await invoke()
    running.set('primary', ranTooLong)

    await fail(3)
    await settle()
    await invoke()

    expect({ ran, closed }).toEqual({ ran: ['primary', 'second'], closed: ['primary'] })
    expect(changes.at(-1)).toEqual({ from: 'primary', to: 'second', reason: 'no-answers' })
  })

  it('is not given up for a connection that we have broken ourselves', async () => {
    await invoke()
    const detail = { mayHaveRun: false, errorCode: 'UND_ERR_DESTROYED' }
    running.set('primary', () => new RetryableError('wsman-connect-failed', 'destroyed', { detail }))
    await fail(5)
    await settle()

    expect({ url: pool.url, closed }).toEqual({ url: 'primary', closed: [] })
  })

  it('is kept as long as some of its commands come through', async () => {
    for (let i = 0; i < 10; i++) {
      running.set('primary', ranTooLong)
      await fail(2)
      running.clear()
      await invoke()
    }
    await settle()

    expect(opened).toEqual(['primary'])
  })

  it('is kept when there is no other', async () => {
    others = () => Promise.resolve([])
    running.set('primary', ranTooLong)
    await fail(9)
    await settle()
    running.clear()
    await invoke()

    expect({ opened, closed, ran }).toEqual({ opened: ['primary'], closed: [], ran: ['primary'] })
  })

  it('is tried again later each time that it had to be left at once', async () => {
    const leftFor: number[] = []
    for (let i = 0; i < 7; i++) {
      running.clear()
      await invoke()
      const before = now
      while (pool.url !== 'primary') {
        now += DEAD_FOR_MS / 4
        await invoke()
        await settle()
      }
      leftFor.push(now - before)
      running.set('primary', refused)
      await fail(1)
    }

    expect(leftFor.map((ms) => ms / DEAD_FOR_MS)).toEqual([0, 1, 2, 4, 8, 16, 16])
  })

  it('is tried again soon when it had worked for long before', async () => {
    await invoke()
    running.set('primary', refused)
    await fail(1)
    running.clear()
    for (let i = 0; i < 20; i++) {
      now += DEAD_FOR_MS
      await invoke()
      await settle()
    }
    running.set('primary', refused)
    await fail(1)
    await invoke()
    running.clear()
    now += DEAD_FOR_MS
    await invoke()
    await settle()

    expect(pool.url).toBe('primary')
  })
})

describe('the other servers', () => {
  it('do not turn a failure that passes into one that lasts', async () => {
    opening.set('primary', () => new RetryableError('exchange-unreachable', 'refused', notRun))
    opening.set('second', untrusted)
    opening.set('third', untrusted)

    await expect(invoke()).rejects.toMatchObject({ name: 'RetryableError', code: 'exchange-unreachable' })
    opening.delete('primary')
    await invoke()

    expect(ran).toEqual(['primary'])
  })

  it('are passed over one by one until one can be used', async () => {
    opening.set('primary', openTooSlow)
    opening.set('second', untrusted)

    await invoke()

    expect(ran).toEqual(['third'])
  })

  it('are not shown a password that one of them has refused', async () => {
    const asked: string[] = []
    opening.set('primary', openTooSlow)
    opening.set('second', wrongPassword)
    opening.set('third', () => asked.push('third'))

    await expect(invoke()).rejects.toMatchObject({ code: 'exchange-authentication-failed' })

    expect(asked).toEqual([])
  })

  it('are not bothered when the primary is set up wrongly', async () => {
    opening.set('primary', untrusted)

    await expect(invoke()).rejects.toMatchObject({ code: 'exchange-certificate-untrusted' })

    expect(opened).toEqual([])
  })

  it('are not asked when it is the account that has no shells left', async () => {
    opening.set('primary', () => new RetryableError('shell-budget-exhausted', 'none left', { detail: { scope: 'account' } }))

    await expect(invoke()).rejects.toMatchObject({ code: 'shell-budget-exhausted' })

    expect(opened).toEqual([])
  })

  it('need not be known for the primary to be used, and a list that never comes holds nobody up for ever', async () => {
    others = () => new Promise(() => {})
    await invoke()
    expect(ran).toEqual(['primary'])

    running.set('primary', refused)
    opening.set('primary', refused)
    await fail(1)
    const waiting = invoke()
    waiting.catch(() => {})
    await settle()
    await pool[Symbol.asyncDispose]()

    await expect(waiting).rejects.toThrow()
  })

  it('do not keep the primary waiting for its time when none of them answers', async () => {
    await invoke()
    running.set('primary', refused)
    await fail(1)
    running.set('second', refused)
    await fail(1)
    running.set('third', refused)
    await fail(1)
    running.clear()

    await invoke()

    expect(ran).toEqual(['primary', 'primary'])
  })
})

describe('a change of servers', () => {
  it('never opens two pools at one server', async () => {
    await invoke()
    running.set('primary', refused)
    await fail(1)
    running.clear()
    await invoke()
    now = DEAD_FOR_MS
    const returning = Promise.withResolvers<void>()
    opening.set('primary', () => returning.promise)
    await invoke()
    // The return to the primary has begun, and the others die before it is complete.
    for (const url of ['second', 'third']) {
      running.set(url, refused)
      opening.set(url, refused)
    }
    await fail(1)
    const waiting = [invoke(), invoke()]
    await settle()
    returning.resolve()
    await Promise.all(waiting)

    expect(pool.url).toBe('primary')
    expect(opened).toEqual(['primary', 'second', 'primary'])
  })

  it('that comes too late is not made any more', async () => {
    await invoke()
    const first = Promise.withResolvers<void>()
    const answers = [() => first.promise, openTooSlow]
    opening.set('second', () => answers.shift()?.())
    running.set('primary', ranTooLong)
    await fail(3)
    await settle()
    running.set('primary', refused)
    await fail(1)
    await invoke()
    first.resolve()
    await settle()

    expect(pool.url).toBe('third')
    expect(closed).toEqual(['primary', 'second'])
  })

  it('leaves the server that was left last closed too when the connection is closed, whatever still runs there', async () => {
    held.set('primary', Promise.withResolvers())
    const longRead = invoke()
    await settle()
    running.set('primary', refused)
    await fail(1)
    await invoke()
    expect(closed).toEqual([])

    await pool[Symbol.asyncDispose]()

    expect(closed.toSorted()).toEqual(['primary', 'second'])
    held.get('primary')?.resolve()
    await longRead
    await settle()
    expect(closed.toSorted()).toEqual(['primary', 'second'])
  })

  it('is not undone by a command that has failed at the server before', async () => {
    held.set('primary', Promise.withResolvers())
    const straggler = invoke()
    await settle()
    running.set('primary', refused)
    await fail(1)
    running.clear()
    await invoke()
    now = DEAD_FOR_MS
    await invoke()
    await settle()
    expect(pool.url).toBe('primary')

    held.get('primary')?.reject(refused())
    await expect(straggler).rejects.toMatchObject({ code: 'exchange-unreachable' })
    held.clear()
    await invoke()

    expect(ran.at(-1)).toBe('primary')
    expect(opened).toEqual(['primary', 'second', 'primary'])
  })
})
