import { RetryableError } from '@gatehouse/messages'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import type { Exchange } from '../src/index.ts'
import type { ClientAccessServer } from './client-access-server.ts'
import { type FailingServers, startFailingServers } from './failing-servers.ts'

const DEAD_FOR_MS = 30_000
const signal = AbortSignal.timeout(600_000)
/** For servers that are silent: whatever has no answer is given up within a second. */
const IMPATIENT = { limits: { openMs: 600, stopMs: 200, closeMs: 100 }, cmdletTimeoutMs: 500 }
/** For servers that are slow: their answers come, but too late. */
const STRICT = { limits: { stopMs: 200, closeMs: 200 }, cmdletTimeoutMs: 600 }
/** Of a server whose answers come too late for those who are strict. A healthy one on a busy machine must not be taken for it. */
const TOO_SLOW_MS = 1_500

type Outcome = { id: string; error?: unknown }

let world: FailingServers
let primary: ClientAccessServer
let second: ClientAccessServer
let third: ClientAccessServer

beforeEach(async () => {
  world = await startFailingServers(signal)
  ;[primary, second, third] = world.servers
})

afterEach(async () => {
  await world[Symbol.asyncDispose]()
})

const idOf = (n: number) => `FAILOVER${String(n).padStart(4, '0')}`
const hostOf = (exchange: Exchange) => new URL(exchange.url).hostname

async function addId(exchange: Exchange, n: number): Promise<Outcome> {
  const id = idOf(n)
  const mailbox = world.mailboxes[n % world.mailboxes.length] ?? ''
  try {
    await exchange.setCasMailbox(mailbox, { allowAdd: [id], allowRemove: [], blockAdd: [], blockRemove: [] }, { signal })
    return { id }
  } catch (error) {
    return { id, error }
  }
}

/** Changes number `from` to `to`, by `callers` who each have one under way; each is sent once, whatever becomes of it. */
async function addIds(
  exchange: Exchange,
  o: { from?: number; to: number; callers: number; onOutcome?: (count: number) => void },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let next = o.from ?? 0
  const caller = async () => {
    while (next < o.to) {
      outcomes.push(await addId(exchange, next++))
      o.onOutcome?.(outcomes.length)
    }
  }
  await Promise.all(Array.from({ length: o.callers }, caller))
  return outcomes
}

/** What was answered has been done once, what surely did not run has not been done, and nothing was done twice. */
async function expectTruth(outcomes: readonly Outcome[]): Promise<void> {
  // What a dead server had begun goes on behind it, and ends.
  const state = await eventually(async () => {
    const now = await world.state()
    expect(now.pipelines).toBe(0)
    return now
  })
  const listed = Object.values(state.lists)
    .flatMap(({ allowed }) => allowed)
    .filter((id) => id.startsWith('FAILOVER'))
  const done = new Set(listed)
  for (const { id, error } of outcomes) {
    if (error === undefined) expect(done).toContain(id)
    else expect(error).toBeInstanceOf(RetryableError)
    if (error instanceof RetryableError && error.detail['mayHaveRun'] === false) expect(done).not.toContain(id)
  }
  expect(listed).toHaveLength(done.size)
  expect(state.duplicateAdds).toBe(0)
  expect(state.cmdlets['Set-CASMailbox']).toBe(done.size)
}

const failuresOf = (outcomes: readonly Outcome[]) => outcomes.filter(({ error }) => error !== undefined)
const lastOf = (outcomes: readonly Outcome[], count: number) =>
  outcomes.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(-count)
const codesOf = (outcomes: readonly Outcome[]) =>
  new Set(failuresOf(outcomes).map(({ error }) => (error instanceof RetryableError ? error.code : String(error))))

describe('a primary that is dead at the start', () => {
  test('is replaced by the second server', async () => {
    await primary.die()
    const exchange = await world.connect()

    const outcomes = await addIds(exchange, { to: 20, callers: 4 })

    expect(failuresOf(outcomes)).toEqual([])
    expect(hostOf(exchange)).toBe(second.host)
    expect(world.changes).toEqual([`${second.host} opened`])
    await expectTruth(outcomes)
  })

  test('that takes connections and says nothing is replaced too, and so is a second one that does', async () => {
    primary.isSilent = true
    second.isSilent = true
    const exchange = await world.connect(IMPATIENT)

    const outcomes = await addIds(exchange, { to: 20, callers: 4 })

    expect(failuresOf(outcomes)).toEqual([])
    expect(hostOf(exchange)).toBe(third.host)
    await expectTruth(outcomes)
  })
})

describe('a primary that dies in the middle of 200 commands', () => {
  test('fails those it had, with the truth about each, and the next go to the second server', async () => {
    const exchange = await world.connect()
    const outcomes = await addIds(exchange, {
      to: 200,
      callers: 8,
      onOutcome: (count) => {
        if (count === 60) void primary.die()
      },
    })

    const failures = failuresOf(outcomes)
    expect(failures.length).toBeGreaterThan(0)
    // Eight callers had one each; one more each may have been given to the dead server before that was known.
    expect(failures.length).toBeLessThanOrEqual(16)
    expect(hostOf(exchange)).toBe(second.host)
    await expectTruth(outcomes)
  })

  test('answers everything that waits at once, and what surely did not run can be sent again', async () => {
    const exchange = await world.connect()
    const outcomes = await addIds(exchange, {
      to: 200,
      callers: 200,
      onOutcome: (count) => {
        if (count === 60) void primary.die()
      },
    })
    await expectTruth(outcomes)
    const notRun = failuresOf(outcomes).filter(
      ({ error }) => error instanceof RetryableError && error.detail['mayHaveRun'] === false,
    )

    const again = await Promise.all(notRun.map(({ id }) => addId(exchange, Number(id.slice(-4)))))

    expect(failuresOf(again)).toEqual([])
    expect(failuresOf(outcomes).length - notRun.length).toBeLessThanOrEqual(8)
    expect(hostOf(exchange)).toBe(second.host)
    await expectTruth([...outcomes.filter((each) => !notRun.includes(each)), ...again])
  })

  test('is returned to when it is back, after its time and not before, and the shells elsewhere are closed', async () => {
    const exchange = await world.connect()
    await addIds(exchange, { to: 20, callers: 4 })
    await primary.die()
    await addIds(exchange, { from: 20, to: 60, callers: 4 })
    await world.reopen(primary)
    world.clock.now = DEAD_FOR_MS - 1
    await addIds(exchange, { from: 60, to: 80, callers: 4 })
    expect(hostOf(exchange)).toBe(second.host)

    world.clock.now = DEAD_FOR_MS
    const during = await addIds(exchange, { from: 80, to: 120, callers: 4 })
    await eventually(() => expect(hostOf(exchange)).toBe(primary.host))
    const after = await addIds(exchange, { from: 120, to: 140, callers: 4 })

    expect(failuresOf([...during, ...after])).toEqual([])
    await eventually(() => expect(second.connections).toBe(0))
    expect(world.changes.at(-1)).toBe(`${primary.host} primary-answers-again`)
    const { shellsOpen, orphans } = await world.state()
    // Those of the time before it died are nobody's.
    expect(shellsOpen - orphans).toBeLessThanOrEqual(4)
    await expectTruth([...during, ...after])
  })
})

describe('one of three servers', () => {
  test('that is ten times as slow is used as long as its answers come in time', async () => {
    const exchange = await world.connect()
    primary.delayMs = 180

    const outcomes = await addIds(exchange, { to: 12, callers: 4 })

    expect(failuresOf(outcomes)).toEqual([])
    expect(hostOf(exchange)).toBe(primary.host)
  })

  test('that is too slow costs only its own commands a timeout, and is left', async () => {
    const exchange = await world.connect(STRICT)
    await addIds(exchange, { to: 20, callers: 4 })
    primary.delayMs = TOO_SLOW_MS

    const outcomes = await addIds(exchange, { from: 20, to: 200, callers: 8 })

    // The connection is lost by whoever waited in a shell for a command that had its time and did not stop.
    expect(codesOf(outcomes).isSubsetOf(new Set(['cmdlet-timeout', 'exchange-connection-lost']))).toBe(true)
    expect(codesOf(outcomes)).toContain('cmdlet-timeout')
    expect(failuresOf(outcomes).length).toBeLessThanOrEqual(32)
    expect(failuresOf(lastOf(outcomes, 100))).toEqual([])
    expect(hostOf(exchange)).toBe(second.host)
    await expectTruth(outcomes)
  })

  test('that falls silent costs only its own commands, and is left', async () => {
    const exchange = await world.connect(IMPATIENT)
    await addIds(exchange, { to: 20, callers: 4 })
    primary.isSilent = true

    const outcomes = await addIds(exchange, { from: 20, to: 200, callers: 8 })

    expect(failuresOf(outcomes).length).toBeGreaterThan(0)
    expect(failuresOf(outcomes).length).toBeLessThanOrEqual(32)
    expect(failuresOf(lastOf(outcomes, 100))).toEqual([])
    expect(hostOf(exchange)).toBe(second.host)
    await expectTruth(outcomes)
  })

  test('that is slow when the primary is dead is left for the third', async () => {
    await primary.die()
    const exchange = await world.connect(STRICT)
    await addIds(exchange, { to: 20, callers: 4 })
    second.delayMs = TOO_SLOW_MS

    const outcomes = await addIds(exchange, { from: 20, to: 200, callers: 8 })

    expect(failuresOf(lastOf(outcomes, 100))).toEqual([])
    expect(hostOf(exchange)).toBe(third.host)
    await expectTruth(outcomes)
  })
})

describe('when all servers are dead', () => {
  test('every command is told that Exchange is unreachable, until the first of them is back', async () => {
    const exchange = await world.connect()
    await addIds(exchange, { to: 20, callers: 4 })
    await Promise.all(world.servers.map((server) => server.die()))

    // What was connected is found out to be gone; from then on there is nothing that a command could be sent on.
    const lost = await addIds(exchange, { from: 20, to: 40, callers: 4 })
    const refused = await addIds(exchange, { from: 40, to: 60, callers: 4 })
    expect(failuresOf([...lost, ...refused])).toHaveLength(40)
    for (const { error } of refused) {
      expect(error).toMatchObject({ name: 'RetryableError', code: 'exchange-unreachable', detail: { mayHaveRun: false } })
    }
    await world.reopen(primary)
    const recovered = await addIds(exchange, { from: 60, to: 80, callers: 4 })

    expect(failuresOf(recovered)).toEqual([])
    expect(hostOf(exchange)).toBe(primary.host)
    await expectTruth([...lost, ...refused, ...recovered])
  })

  test('the one that is back first is found once its time has passed', async () => {
    const exchange = await world.connect()
    await addIds(exchange, { to: 20, callers: 4 })
    await Promise.all(world.servers.map((server) => server.die()))
    await addIds(exchange, { from: 20, to: 40, callers: 4 })
    await world.reopen(third)
    world.clock.now = DEAD_FOR_MS

    const recovered = await addIds(exchange, { from: 40, to: 60, callers: 4 })

    expect(failuresOf(recovered)).toEqual([])
    expect(hostOf(exchange)).toBe(third.host)
  })

  test('a connection is refused and leaves nothing behind', async () => {
    await Promise.all(world.servers.map((server) => server.die()))

    await expect(world.connect()).rejects.toMatchObject({ name: 'RetryableError', code: 'exchange-unreachable' })

    expect((await world.state()).shellsOpen).toBe(0)
  })
})
