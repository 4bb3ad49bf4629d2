import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import type { ServerPool } from '../src/protocol/index.ts'
import { closeAll, openPool, options, start, stopped } from './open-pool.ts'
import { type Script, type ScriptedServer, sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

const TAKES_MS = 20

/** A server whose shells run one cmdlet at a time. A cmdlet whose name is in `held` runs until its promise resolves. */
function queueing(ran: string[], held: Record<string, Promise<void>> = {}): Script {
  const last = new Map<ServerPool, Promise<void>>()
  return ({ command, pipelineId, pool, stop }) => {
    const run = async () => {
      if (!stop.aborted) {
        ran.push(command.name)
        await new Promise((resolve) => setTimeout(resolve, TAKES_MS))
        await held[command.name]
      }
      pool.state(pipelineId, stop.aborted ? 'stopped' : 'completed', stop.aborted ? stopped : undefined)
    }
    const mine = (last.get(pool) ?? Promise.resolve()).then(run)
    last.set(pool, mine)
    return mine
  }
}

/** The same, but what is stopped while it waits is dropped at once, as PowerShell does it; and one cmdlet never ends. */
function hanging(ran: string[], hung: string): Script {
  const queue = queueing(ran, { [hung]: new Promise(() => {}) })
  return (call) => {
    const { pipelineId, pool, stop } = call
    stop.addEventListener('abort', () => {
      if (!ran.includes(call.command.name)) pool.state(pipelineId, 'stopped', stopped)
    })
    return queue(call)
  }
}

function commandsSent(server: ScriptedServer): number {
  return server.requests.filter(({ action }) => action === 'Command').length
}

const namesOf = (count: number) => Array.from({ length: count }, (_, n) => `Set-${n + 1}`)

describe('sending ahead', () => {
  test('a shell has its next command before the last has answered, and every caller gets its own result', async () => {
    const ran: string[] = []
    const hold = Promise.withResolvers<void>()
    const server = await start(queueing(ran, { 'Set-6': hold.promise }))
    const pool = await openPool(server)

    const invoked = namesOf(8).map((name) => pool.invoke({ name, parameters: {} }, options))
    await eventually(() => expect(ran).toContain('Set-6'))
    await eventually(() => expect(commandsSent(server)).toBe(7))
    hold.resolve()

    expect(await Promise.all(invoked)).toHaveLength(8)
    expect(ran).toEqual(namesOf(8))
    expect(pool.stats()).toMatchObject({ invoked: 8, shellsOpened: 1, shellsLost: 0 })
  })

  test('its time counts from its turn, not from when it was sent', async () => {
    const hold = Promise.withResolvers<void>()
    const ran: string[] = []
    const server = await start(queueing(ran, { 'Set-6': hold.promise }))
    const pool = await openPool(server)

    const invoked = namesOf(7).map((name) =>
      pool.invoke({ name, parameters: {} }, name === 'Set-7' ? { ...options, timeoutMs: 1_000 } : options),
    )
    await eventually(() => expect(commandsSent(server)).toBe(7))
    await eventually(() => expect(ran).toContain('Set-6'))
    setTimeout(hold.resolve, 1_100)

    const results = await Promise.all(invoked)
    expect(results[5]?.durationMs).toBeGreaterThan(1_000)
    expect(results[6]?.durationMs).toBeLessThan(1_000)
  })

  test('what is stopped before its turn never runs, and the one before it is left in peace', async () => {
    const hold = Promise.withResolvers<void>()
    const ran: string[] = []
    const server = await start(queueing(ran, { 'Set-6': hold.promise }))
    const pool = await openPool(server, { limits: { stopMs: 50 } })
    const controller = new AbortController()

    const invoked = namesOf(7).map((name) =>
      pool.invoke({ name, parameters: {} }, name === 'Set-7' ? { ...options, signal: controller.signal } : options),
    )
    const last = invoked[6]?.catch((error: unknown) => error)
    await eventually(() => expect(commandsSent(server)).toBe(7))
    controller.abort(new Error('enough'))
    await eventually(() => expect(server.requests.some(({ body }) => body.includes('crtl_c'))).toBe(true))
    hold.resolve()

    expect(await Promise.all(invoked.slice(0, 6))).toHaveLength(6)
    expect(await last).toEqual(new Error('enough'))
    expect(ran).toEqual(namesOf(6))
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('both commands of a lost shell may have run, and the pool goes on with another shell', async () => {
    const hold = Promise.withResolvers<void>()
    const ran: string[] = []
    const server = await start(queueing(ran, { 'Set-6': hold.promise }))
    const pool = await openPool(server)

    const invoked = namesOf(7).map((name) => pool.invoke({ name, parameters: {} }, options))
    const settled = Promise.allSettled(invoked)
    await eventually(() => expect(ran).toContain('Set-6'))
    await eventually(() => expect(commandsSent(server)).toBe(7))
    server.cut()

    const [sixth, seventh] = (await settled).slice(5)
    const uncertain = { status: 'rejected', reason: { name: 'RetryableError', detail: { mayHaveRun: true, shellLost: true } } }
    expect(sixth).toMatchObject(uncertain)
    expect(seventh).toMatchObject(uncertain)
    hold.resolve()
    expect(await pool.invoke({ name: 'Get-After', parameters: {} }, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shells: 1, shellsOpened: 2, shellsLost: 1 })
  })

  test('what waits behind a cmdlet that does not stop is dropped there, and told that it may have run', async () => {
    const ran: string[] = []
    const server = await start(hanging(ran, 'Set-6'))
    const pool = await openPool(server, { limits: { stopMs: 50 } })

    const invoked = namesOf(7).map((name) =>
      pool.invoke({ name, parameters: {} }, name === 'Set-6' ? { ...options, timeoutMs: 200 } : options),
    )
    const settled = Promise.allSettled(invoked)
    await eventually(() => expect(commandsSent(server)).toBe(7))

    const [sixth, seventh] = (await settled).slice(5)
    expect(sixth).toMatchObject({ status: 'rejected', reason: { code: 'cmdlet-timeout', detail: { mayHaveRun: true } } })
    expect(seventh).toMatchObject({ status: 'rejected', reason: { code: 'runspace-blocked', detail: { mayHaveRun: true } } })
    expect(ran).not.toContain('Set-7')
    expect(pool.stats()).toMatchObject({ shellsLost: 1 })
  })

  test('a server that refuses a second command in a shell gets every command once, one at a time', async () => {
    const ran: string[] = []
    const script = queueing(ran)
    let open = 0
    const server = await start(async (call) => {
      open++
      await script(call)
      open--
    })
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command' || open === 0) return false
      sendFault(response, body, 2150859174, 'The maximum number of concurrent operations for this user has been exceeded.')
      return true
    }
    const pool = await openPool(server)

    await Promise.all(namesOf(8).map((name) => pool.invoke({ name, parameters: {} }, options)))

    expect(ran.toSorted()).toEqual(namesOf(8))
    expect(commandsSent(server)).toBe(9)
  })
})
