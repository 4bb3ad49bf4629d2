import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { createHostEngine } from '../src/host/create-host-engine.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { createFakePowerShell, isThere, openFakePool, openHostPool } from './host-pool.ts'
import { closeAll, options, signal } from './open-pool.ts'

afterEach(closeAll)

const command = { name: 'Get-Thing', parameters: {} }
const other = { name: 'Get-Other', parameters: {} }

async function notesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).trim().split('\n')
}

describe('a PowerShell that does not start', () => {
  test('is given up after the limit and killed', async () => {
    const { executable, notes } = await createFakePowerShell('answers.script = () => {}')

    const opening = openHostPool({ executable, environment: { NOTES: notes }, limits: { openMs: 500 } })

    await expect(opening).rejects.toMatchObject({ code: 'runspace-open-timeout', detail: { mayHaveRun: false } })
    const [start = ''] = await notesOf(notes)
    expect(isThere(Number(start.split(' ')[1]))).toBe(false)
  })

  test('is reported with what it wrote to standard error', async () => {
    const behaviour = 'process.stderr.write("The argument is not recognized"); process.exitCode = 64; process.exit()'

    await expect(openFakePool(behaviour)).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'powershell-exited',
      message: expect.stringContaining('The argument is not recognized'),
    })
  })

  test('is not waited for when the caller gives up', async () => {
    const { executable, notes } = await createFakePowerShell('answers.script = () => {}')
    await using engine = createHostEngine({ executable, environment: { NOTES: notes } })
    const caller = new AbortController()

    const opening = engine.open({ runspaces: 1, signal: caller.signal })
    await eventually(async () => expect((await notesOf(notes)).length).toBe(2))
    caller.abort(new Error('enough'))

    await expect(opening).rejects.toThrow('enough')
  })

  test('says why its pool could not be opened', async () => {
    const xml = '<Obj RefId="0"><MS><S N="Exception">no such module</S></MS><ToString>no such module</ToString></Obj>'
    const behaviour = `answers.open = () => send({ op: 'open-failed', code: 0, data: clixml(${JSON.stringify(xml)}) })`

    await expect(openFakePool(behaviour)).rejects.toMatchObject({
      code: 'powershell-open-failed',
      message: expect.stringContaining('no such module'),
    })
  })
})

describe('a PowerShell that ends', () => {
  const DIES = `answers.run = ({ id, name }) => (name === 'Get-Thing' ? process.exit(3) : end(id))`

  test('fails the command in flight, which may have run, and the next one has a new process', async () => {
    const pool = await openFakePool(DIES)

    const lost = pool.invoke(command, options)
    const queued = pool.invoke(other, options)

    await expect(lost).rejects.toMatchObject({ code: 'powershell-exited', detail: { mayHaveRun: true, shellLost: true } })
    expect(await queued).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsOpened: 2, shellsLost: 1, busy: 0 })
  })

  test('answers everything that waits when it cannot be started again', async () => {
    const behaviour = `
      if (require('node:fs').existsSync(process.env.NOTES)) process.exit(5)
      ${DIES}`
    const pool = await openFakePool(behaviour)

    const lost = pool.invoke(command, options)
    const queued = [pool.invoke(other, options), pool.invoke(other, options)]

    await expect(lost).rejects.toMatchObject({ code: 'powershell-exited', detail: { mayHaveRun: true } })
    for (const each of queued)
      await expect(each).rejects.toMatchObject({ code: 'powershell-exited', detail: { mayHaveRun: false } })
    expect(pool.state).toBe('opened')
  })

  test('is not asked for again before its pause is over', async () => {
    const clock = new HandDrivenClock()
    const behaviour = `
      const { existsSync, readFileSync } = require('node:fs')
      const starts = existsSync(process.env.NOTES) ? readFileSync(process.env.NOTES, 'utf8').match(/start/g).length : 0
      if (starts === 1) { note('start again'); process.exit(5) }
      ${DIES}`
    const pool = await openFakePool(behaviour, { clock, limits: { restartMs: 1_000 } })
    await expect(pool.invoke(command, options)).rejects.toThrow('code 3')
    await expect(pool.invoke(other, options)).rejects.toThrow('code 5')

    const invoked = pool.invoke(other, options)
    clock.advance(999)
    expect(pool.stats()).toMatchObject({ shells: 0, queued: 1 })
    clock.advance(1)

    expect(await invoked).toMatchObject({ failed: false })
  })
})

describe('a PowerShell that does not answer', () => {
  test('is killed when it leaves a ping unanswered, and replaced', async () => {
    const clock = new HandDrivenClock()
    const behaviour = `
      answers.run = ({ id, name }) => (name === 'Get-Thing' ? note('hangs') : end(id))
      answers.ping = () => note('pinged')`
    const pool = await openFakePool(behaviour, { clock, limits: { pingMs: 1_000 } })
    const hung = pool.invoke(command, options)
    hung.catch(() => {})
    await eventually(async () => expect(await notesOf(pool.notes)).toContain('hangs'))

    clock.advance(1_000)
    await eventually(async () => expect(await notesOf(pool.notes)).toContain('pinged'))
    clock.advance(1_000)

    await expect(hung).rejects.toMatchObject({ code: 'powershell-exited', detail: { mayHaveRun: true, shellLost: true } })
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
  })

  test('loses the runspace of a cmdlet that does not stop, while the others finish', async () => {
    const behaviour = `
      answers.run = ({ id, name }) => (name === 'Get-Thing' ? note('hangs') : name === 'Get-Slow' ? (answers.slow = id) : end(id))
      answers.stop = () => note('asked')
      answers.close = () => { note('closed'); process.exit(0) }
      process.on('SIGUSR2', () => end(answers.slow))`
    const pool = await openFakePool(behaviour, { runspaces: 2, limits: { stopMs: 50 } })
    const slow = pool.invoke({ name: 'Get-Slow', parameters: {} }, options)

    await expect(pool.invoke(command, { signal, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'cmdlet-timeout',
      detail: { mayHaveRun: true, shellLost: true },
    })
    // The old process still runs Get-Slow; this runs in the next one.
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsLost: 1, busy: 1, shells: 3 })

    const [first = ''] = await notesOf(pool.notes)
    process.kill(Number(first.split(' ')[1]), 'SIGUSR2')

    expect(await slow).toMatchObject({ failed: false })
    await eventually(async () => expect(await notesOf(pool.notes)).toContain('closed'))
  })

  test('is killed when it does not close within the limit', async () => {
    const pool = await openFakePool('answers.close = () => {}', { limits: { closeMs: 50 } })

    await pool[Symbol.asyncDispose]()

    const [start = ''] = await notesOf(pool.notes)
    expect(isThere(Number(start.split(' ')[1]))).toBe(false)
  })
})

describe('a PowerShell that writes nonsense', () => {
  test('may write lines that are not the script’s: a cmdlet can start a program', async () => {
    const behaviour = `answers.run = ({ id }) => {
      process.stdout.write('hello\\n\\r\\n{"json":true}\\n[1]\\nno line end')
      output(id, '<S>it</S>')
      end(id)
    }`
    const pool = await openFakePool(behaviour)

    expect((await pool.invoke(command, options)).output[0]?.value).toBe('it')
  })

  test.each([
    ['a line that is cut', '\'{"op":"end","id":\''],
    ['an unknown kind of line', '\'{"op":"exec","id":1,"data":""}\''],
    ['a state that does not exist', '\'{"op":"end","id":1,"state":"perhaps","prompted":false,"tooLarge":false,"dropped":0}\''],
  ])('is replaced after %s', async (_, line) => {
    const behaviour = `answers.run = ({ id, name }) => (name === 'Get-Thing' ? process.stdout.write(${line} + '\\n') : end(id))`
    const pool = await openFakePool(behaviour)

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      code: 'powershell-malformed',
      detail: { mayHaveRun: true, shellLost: true },
    })
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
  })

  test('is killed for a line without end, before it fills the memory', async () => {
    const behaviour = `answers.run = ({ id, name }) => {
      const flood = () => process.stdout.write('x'.repeat(65536), flood)
      if (name === 'Get-Thing') flood()
      else end(id)
    }`
    const pool = await openFakePool(behaviour, { limits: { lineCharsMax: 1_000_000 } })

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      code: 'powershell-malformed',
      message: expect.stringContaining('too long'),
    })
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
  })

  test('fails the one command whose answer cannot be read, and works on', async () => {
    const pool = await openFakePool(`answers.run = ({ id, name }) => {
      if (name === 'Get-Thing') output(id, '<Obj RefId="0"><LST><S>cut')
      else end(id)
    }`)

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      name: 'RetryableError',
      code: expect.stringMatching(/-malformed$/),
      detail: { mayHaveRun: true },
    })
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsOpened: 1, shellsLost: 0 })
  })

  test('cannot fail a command by what it says of others', async () => {
    const pool = await openFakePool(`answers.run = ({ id }) => {
      end(id + 1)
      output(99, '<S>not yours</S>')
      output(id, '<S>yours</S>')
      end(id)
      end(id, { state: 'failed' })
    }`)

    const { output } = await pool.invoke(command, options)

    expect(output.map(({ value }) => value)).toEqual(['yours'])
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test('is stopped when a result grows beyond its limit', async () => {
    const pool = await openFakePool(
      `answers.run = ({ id, name }) => {
        if (name !== 'Get-Thing') return end(id)
        answers.timer = setInterval(() => output(id, '<S>' + 'x'.repeat(1000) + '</S>'), 1)
      }
      answers.stop = ({ id }) => { clearInterval(answers.timer); end(id, { state: 'stopped' }) }`,
      { limits: { resultCharsMax: 20_000 } },
    )

    await expect(pool.invoke(command, options)).rejects.toMatchObject({ name: 'PermanentError', code: 'result-too-large' })
    expect(await pool.invoke(other, options)).toMatchObject({ failed: false })
    expect(pool.stats().shellsLost).toBe(0)
  })
})

describe('what an Exchange behind it says', () => {
  const transport = (text: string) =>
    `<Obj RefId="0"><MS><Obj N="Exception" RefId="1"><TN RefId="0"><T>System.Management.Automation.Remoting.PSRemotingTransportException</T></TN><Props><S N="Message">${text}</S></Props></Obj></MS></Obj>`

  test('a load quota is waited for as long as it says, and the command is sent again', async () => {
    const clock = new HandDrivenClock()
    const text = 'The next request from this user will not be approved for at least 4321 milliseconds.'
    const pool = await openFakePool(
      `let refused = false
      answers.run = ({ id }) => {
        if (refused) return end(id)
        refused = true
        send({ op: 'reason', id, data: clixml(${JSON.stringify(transport(text))}) })
        end(id, { state: 'failed' })
      }`,
      { clock },
    )

    const invoked = pool.invoke(command, options)
    await eventually(() => expect(pool.stats()).toMatchObject({ pausedMs: 4_321, queued: 1 }))
    clock.advance(4_320)
    expect(pool.stats()).toMatchObject({ busy: 0, queued: 1 })
    clock.advance(1)

    expect(await invoked).toMatchObject({ failed: false })
  })

  test('a lost session costs the process, and the command may have run', async () => {
    const pool = await openFakePool(`answers.run = ({ id, name }) => {
      if (name !== 'Get-Thing') return end(id)
      send({ op: 'reason', id, data: clixml(${JSON.stringify(transport('The session is gone'))}) })
      end(id, { state: 'failed' })
    }`)

    const lost = pool.invoke(command, options)
    const queued = pool.invoke(other, options)

    await expect(lost).rejects.toMatchObject({ name: 'RetryableError', detail: { mayHaveRun: true, shellLost: true } })
    expect(await queued).toMatchObject({ failed: false })
    expect((await notesOf(pool.notes)).filter((note) => note.startsWith('start'))).toHaveLength(2)
  })

  test('a refused account breaks the pool: more attempts would lock it', async () => {
    const behaviour = `
      const isFirst = !require('node:fs').existsSync(process.env.NOTES)
      answers.open = () => (isFirst ? send({ op: 'opened' }) : send({ op: 'open-failed', code: 5, data: clixml(${JSON.stringify(transport('Access is denied.'))}) }))
      answers.run = () => process.exit(1)`
    const pool = await openFakePool(behaviour)
    await expect(pool.invoke(command, options)).rejects.toMatchObject({ code: 'powershell-exited' })

    await expect(pool.invoke(command, options)).rejects.toMatchObject({ code: 'wsman-access-denied' })

    expect(pool.state).toBe('broken')
    await expect(pool.invoke(command, options)).rejects.toMatchObject({ code: 'wsman-access-denied' })
    expect((await notesOf(pool.notes)).filter((note) => note.startsWith('start'))).toHaveLength(2)
  })
})
