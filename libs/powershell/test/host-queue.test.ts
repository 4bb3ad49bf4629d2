import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { openFakePool } from './host-pool.ts'
import { closeAll, options, signal } from './open-pool.ts'

afterEach(closeAll)

/** The first command waits until `Set-Free` has come, or until it is stopped. */
const WAITS = `
  let waiting
  answers.run = ({ id, name }) => { if (name === 'Get-Slow') waiting = id; else end(id) }
  answers.stop = ({ id }) => end(id, { state: 'stopped' })
  process.on('SIGUSR2', () => end(waiting))`
const call = (name: string) => ({ name, parameters: {} })

async function requestsOf(notes: string): Promise<string[]> {
  return (await readFile(notes, 'utf8')).trim().split('\n')
}

async function free(notes: string): Promise<void> {
  await eventually(async () => expect(await requestsOf(notes)).toContain('run Get-Slow'))
  const [start = ''] = await requestsOf(notes)
  process.kill(Number(start.split(' ')[1]), 'SIGUSR2')
}

describe('commands that wait for a runspace', () => {
  test('run urgent before bulk', async () => {
    const pool = await openFakePool(WAITS)
    const invoked = [
      pool.invoke(call('Get-Slow'), options),
      pool.invoke(call('Get-Bulk'), options),
      pool.invoke(call('Get-Urgent'), { ...options, priority: 'urgent' }),
    ]

    await free(pool.notes)
    await Promise.all(invoked)

    expect((await requestsOf(pool.notes)).slice(-3)).toEqual(['run Get-Slow', 'run Get-Urgent', 'run Get-Bulk'])
  })

  test('are given up by their callers without being sent', async () => {
    const pool = await openFakePool(WAITS)
    const slow = pool.invoke(call('Get-Slow'), options)
    const caller = new AbortController()
    const given = pool.invoke(call('Get-Bulk'), { signal: caller.signal, timeoutMs: 1_000 })

    caller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await free(pool.notes)
    await slow

    expect(await requestsOf(pool.notes)).not.toContain('run Get-Bulk')
  })

  test('wait no longer than they may', async () => {
    const clock = new HandDrivenClock()
    const pool = await openFakePool(WAITS, { clock, limits: { queueMs: 1_000, pingMs: 60_000 } })
    const slow = pool.invoke(call('Get-Slow'), options)
    const late = pool.invoke(call('Get-Bulk'), options)

    clock.advance(1_000)

    await expect(late).rejects.toMatchObject({ code: 'runspace-queue-timeout', detail: { mayHaveRun: false } })
    await free(pool.notes)
    expect(await slow).toMatchObject({ failed: false })
  })

  test('are refused when too many wait', async () => {
    const pool = await openFakePool(WAITS, { limits: { queueMax: 1 } })
    const invoked = [pool.invoke(call('Get-Slow'), options), pool.invoke(call('Get-Bulk'), options)]

    await expect(pool.invoke(call('Get-Bulk'), options)).rejects.toMatchObject({
      code: 'runspace-queue-full',
      detail: { mayHaveRun: false },
    })
    await free(pool.notes)
    await Promise.all(invoked)
  })

  test('are counted', async () => {
    const pool = await openFakePool(WAITS, { runspaces: 2 })
    const invoked = Array.from({ length: 3 }, () => pool.invoke(call('Get-Slow'), { signal, timeoutMs: 100 }))
    for (const each of invoked) each.catch(() => {})

    expect(pool.stats()).toMatchObject({ shells: 2, busy: 2, queued: 1, shellsAllowed: 2, mostShells: 2 })
    await Promise.allSettled(invoked)

    expect(pool.stats()).toMatchObject({ busy: 0, queued: 0, shellsLost: 0 })
  })
})

describe('refused before anything is sent', () => {
  test.each([
    [{ name: 'Get-Thing; Get-Other', parameters: {} }, 'command-name-refused'],
    [{ name: 'Get-Thing', parameters: { '-Identity': 'x' } }, 'parameter-name-refused'],
    [{ name: 'Get-Thing', parameters: { Identity: '' } }, 'empty-identity'],
    [{ name: 'Get-Thing', parameters: { When: new Date(Number.NaN) } }, 'value-refused'],
  ])('%j', async (command, code) => {
    const pool = await openFakePool('')

    await expect(pool.invoke(command, options)).rejects.toMatchObject({ name: 'PermanentError', code })

    expect(await pool.invoke(call('Get-Thing'), options)).toMatchObject({ failed: false })
    expect((await requestsOf(pool.notes)).filter((note) => note.startsWith('run'))).toEqual(['run Get-Thing'])
  })
})

test('an old process is replaced when nothing runs in it any more', async () => {
  const clock = new HandDrivenClock()
  const pool = await openFakePool(WAITS, { clock, runspaces: 2, limits: { ageMs: 1_000, idleMs: 4_000, pingMs: 600_000 } })
  const slow = pool.invoke(call('Get-Slow'), options)

  clock.advance(2_000)
  expect(await pool.invoke(call('Get-Next'), options)).toMatchObject({ failed: false })
  await free(pool.notes)

  expect(await slow).toMatchObject({ failed: false })
  expect((await requestsOf(pool.notes)).filter((note) => note.startsWith('start'))).toHaveLength(2)
})

test('no timer is left when the pool is closed', async () => {
  const clock = new HandDrivenClock()
  const pool = await openFakePool(WAITS, { clock })
  const slow = pool.invoke(call('Get-Slow'), options)
  slow.catch(() => {})
  await eventually(async () => expect(await requestsOf(pool.notes)).toContain('run Get-Slow'))

  await pool[Symbol.asyncDispose]()

  expect(clock.pending).toBe(0)
})
