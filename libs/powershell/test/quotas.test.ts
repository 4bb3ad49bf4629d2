import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { closeAll, command, completeAtOnce, LOAD_QUOTA, openPool, options, start, TOO_MANY_SHELLS } from './open-pool.ts'
import { sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

describe('quotas', () => {
  test('too many shells shrink the pool, and it grows back', async () => {
    const server = await start(completeAtOnce)
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Create' || server.shells.size < 2) return false
      sendFault(response, body, 2150859173, TOO_MANY_SHELLS)
      return true
    }
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { runspaces: 4, clock, limits: { growBackMs: 1_000 } })

    await Promise.all(Array.from({ length: 30 }, () => pool.invoke(command, options)))
    await eventually(() => expect(pool.stats().shellsAllowed).toBe(2))
    server.intercept = undefined
    for (let i = 0; i < 20 && pool.stats().mostShells < 4; i++) {
      clock.advance(2_000)
      await Promise.all(Array.from({ length: 30 }, () => pool.invoke(command, options)))
    }

    expect(pool.stats()).toMatchObject({ shellsAllowed: 4, mostShells: 4 })
  })

  test('a refused command is sent again after exactly the time that was said', async () => {
    const server = await start(completeAtOnce)
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock })
    let refusals = 1
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command' || refusals-- <= 0) return false
      sendFault(response, body, 2150858999, LOAD_QUOTA)
      return true
    }

    const invoked = pool.invoke(command, options)
    await eventually(() => expect(pool.stats().pausedMs).toBe(4_321))
    clock.advance(4_320)
    const commandsBefore = server.requests.filter(({ action }) => action === 'Command').length
    clock.advance(1)

    expect(await invoked).toMatchObject({ failed: false })
    expect(commandsBefore).toBe(1)
    expect(pool.stats()).toMatchObject({ shellsLost: 0, invoked: 1 })
  })

  test('a command that is refused after its time in the queue is over does not wait again', async () => {
    const server = await start(completeAtOnce)
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock, limits: { queueMs: 1_000 } })
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command') return false
      clock.advance(1_000)
      sendFault(response, body, 2150858999, LOAD_QUOTA)
      return true
    }

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      code: 'wsman-load-quota',
      detail: { mayHaveRun: false },
    })
  })

  test.each<[string, string, number]>([
    ['a user', 'The next request from this user will not be approved for at least 1736 milliseconds.', 1_736],
    [
      'the system',
      'The system load quota of 1000 requests per 2 seconds has been exceeded. The next request from this user will not be approved for at least 12,345 milliseconds.',
      12_345,
    ],
    ['another culture', 'The next request from this user will not be approved for at least 12\u00a0345 milliseconds.', 12_345],
    [
      'runspaces',
      'Fail to create runspace because you have exceeded your budget to create runspace. Please wait for 26 seconds.',
      26_000,
    ],
  ])('of %s hold every request back for exactly as long as was said', async (_whose, message, waitMs) => {
    const server = await start(completeAtOnce)
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock, runspaces: 3 })
    let refusals = 1
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command' || refusals-- <= 0) return false
      sendFault(response, body, 2150859175, message)
      return true
    }
    const commandsSent = () => server.requests.filter(({ action }) => action === 'Command' || action === 'Create').length

    const first = pool.invoke(command, options)
    await eventually(() => expect(pool.stats().pausedMs).toBe(waitMs))
    const before = commandsSent()
    const others = [pool.invoke(command, options), pool.invoke(command, options)]
    clock.advance(waitMs - 1)
    const stillPaused = { queued: pool.stats().queued, sent: commandsSent() }
    clock.advance(1)

    expect(stillPaused).toEqual({ queued: 3, sent: before })
    expect(pool.stats().queued).toBeLessThan(3)
    for (const result of await Promise.all([first, ...others])) expect(result).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsLost: 0, invoked: 3, pausedMs: waitMs })
  })

  test('a refused Receive is repeated without running the cmdlet again', async () => {
    let runs = 0
    const server = await start((call) => {
      runs++
      void completeAtOnce(call)
    })
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock })
    let refusals = 1
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Receive' || refusals-- <= 0) return false
      sendFault(response, body, 2150858999, LOAD_QUOTA)
      return true
    }

    const invoked = pool.invoke(command, options)
    await eventually(() => expect(pool.stats().pausedMs).toBe(4_321))
    clock.advance(4_321)

    expect(await invoked).toMatchObject({ failed: false })
    expect(runs).toBe(1)
  })

  test('micro-delay warnings slow the pool down', async () => {
    const server = await start(({ pipelineId, pool }) => {
      pool.warning(pipelineId, 'WARNING: Micro delay applied. Actual delayed: 500 msecs, Enforced: True')
      pool.state(pipelineId, 'completed')
    })
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock })
    await pool.invoke(command, options)
    await pool.invoke(command, options)

    let settled = false
    const third = pool.invoke(command, options).then(() => {
      settled = true
    })
    await new Promise((resolve) => setImmediate(resolve))

    expect(settled).toBe(false)
    clock.advance(1_000)
    await third
  })

  test('a pool that gets no runspace answers what waits too long', async () => {
    const server = await start(completeAtOnce)
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock, limits: { queueMs: 5_000 } })
    server.intercept = (action, _request, response, body) => {
      if (action === 'Command') sendFault(response, body, 1, LOAD_QUOTA.replace('4321', '99999'))
      return action === 'Command'
    }

    const invoked = pool.invoke(command, options)
    await eventually(() => expect(pool.stats().pausedMs).toBe(99_999))
    clock.advance(5_000)

    await expect(invoked).rejects.toMatchObject({ code: 'runspace-queue-timeout', detail: { mayHaveRun: false } })
  })
})
