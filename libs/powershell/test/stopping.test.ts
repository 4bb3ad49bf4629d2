import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { closeAll, command, openPool, options, signal, start, stopped, untilStopped } from './open-pool.ts'

afterEach(closeAll)

describe('stopping', () => {
  test('an aborted cmdlet is stopped on the server, and its shell lives on', async () => {
    const server = await start(async ({ command, pipelineId, pool, stop }) => {
      if (command.name === 'Get-Slow') await untilStopped(stop)
      pool.state(pipelineId, stop.aborted ? 'stopped' : 'completed', stop.aborted ? stopped : undefined)
    })
    const pool = await openPool(server)
    const controller = new AbortController()
    const reason = new Error('enough')

    const invoked = pool.invoke({ name: 'Get-Slow', parameters: {} }, { signal: controller.signal, timeoutMs: 30_000 })
    await eventually(() => expect(server.requests.some(({ action }) => action === 'Command')).toBe(true))
    controller.abort(reason)

    await expect(invoked).rejects.toBe(reason)
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsOpened: 1, shellsLost: 0 })
  })

  test('a cmdlet that runs too long is stopped', async () => {
    const server = await start(async ({ pipelineId, pool, stop }) => {
      await untilStopped(stop)
      pool.state(pipelineId, 'stopped', stopped)
    })
    const pool = await openPool(server)

    await expect(pool.invoke(command, { signal, timeoutMs: 50 })).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'cmdlet-timeout',
      detail: { mayHaveRun: true },
    })
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('a cmdlet that does not stop costs its shell, which is deleted and replaced', async () => {
    const server = await start(({ command, pipelineId, pool }) => {
      if (command.name !== 'Get-Hung') pool.state(pipelineId, 'completed')
    })
    const pool = await openPool(server, { limits: { stopMs: 50 } })

    await expect(pool.invoke({ name: 'Get-Hung', parameters: {} }, { signal, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'cmdlet-timeout',
      detail: { shellLost: true },
    })
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsOpened: 2, shellsLost: 1 })
    await eventually(() => expect(server.shells.size).toBe(1))
  })

  test('closing the pool stops what runs, answers what waits, and deletes every shell', async () => {
    const server = await start(async ({ pipelineId, pool, stop }) => {
      await untilStopped(stop)
      pool.state(pipelineId, 'stopped', stopped)
    })
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { clock })
    const running = pool.invoke(command, options)
    const waiting = pool.invoke(command, options)
    running.catch(() => {})
    waiting.catch(() => {})
    await eventually(() => expect(server.requests.some(({ action }) => action === 'Command')).toBe(true))

    await pool[Symbol.asyncDispose]()

    await expect(running).rejects.toMatchObject({ code: 'cmdlet-stopped' })
    await expect(waiting).rejects.toMatchObject({ code: 'runspace-pool-closed', detail: { mayHaveRun: false } })
    await expect(pool.invoke(command, options)).rejects.toMatchObject({ code: 'runspace-pool-closed' })
    expect(server.shells.size).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('a cmdlet that waits for a runspace is given up when its caller does', async () => {
    const server = await start(async ({ pipelineId, pool, stop }) => {
      await untilStopped(stop)
      pool.state(pipelineId, 'stopped', stopped)
    })
    const pool = await openPool(server)
    const controller = new AbortController()
    const first = pool.invoke(command, { signal: controller.signal, timeoutMs: 30_000 })
    const second = pool.invoke(command, { signal: controller.signal, timeoutMs: 30_000 })
    await eventually(() => expect(server.requests.some(({ action }) => action === 'Command')).toBe(true))

    controller.abort(new Error('enough'))

    await expect(second).rejects.toThrow('enough')
    await expect(first).rejects.toThrow('enough')
    expect(server.requests.filter(({ action }) => action === 'Command')).toHaveLength(1)
  })
})
