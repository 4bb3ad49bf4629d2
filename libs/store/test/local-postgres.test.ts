import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startLocalPostgres } from '../src/local-postgres.ts'

const folders: string[] = []

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
  folders.push(folder)
  return folder
}

let signal: AbortSignal

beforeEach(() => {
  signal = AbortSignal.timeout(60_000)
})

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function query(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return Object.values((await client.query(text)).rows[0] ?? {})[0]
  } finally {
    await client.end()
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a PostgreSQL of our own', () => {
  it('keeps its databases from one start to the next in the same folder', async () => {
    const directory = createFolder()
    {
      await using first = await startLocalPostgres({ directory, signal, durable: true })
      await query(await first.createDatabase('kept'), 'create table proof as select 42 as answer')
    }

    await using second = await startLocalPostgres({ directory, signal })

    expect(await query(await second.createDatabase('kept'), 'select answer from proof')).toBe(42)
  })

  it('leaves no process behind when it is stopped, even with a session open', async () => {
    const postgres = await startLocalPostgres({ directory: createFolder(), signal, durable: false })
    const client = new pg.Client({ connectionString: postgres.url })
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const backend = rows[0]?.pid ?? 0
    expect(isRunning(backend)).toBe(true)

    await Promise.all([postgres.stop(), postgres.stop()])

    expect([isRunning(postgres.pid), isRunning(backend)]).toEqual([false, false])
  })

  it('refuses a password it did not make', async () => {
    await using postgres = await startLocalPostgres({ directory: createFolder(), signal, durable: false })
    const url = new URL(postgres.url)
    url.password = 'wrong'

    await expect(query(url.href, 'select 1')).rejects.toThrow(/password authentication failed/)
  })

  it('refuses a name that is not one of a database', async () => {
    await using postgres = await startLocalPostgres({ directory: createFolder(), signal, durable: false })

    await expect(postgres.createDatabase('x"; drop database postgres; --')).rejects.toMatchObject({
      code: 'database-name-invalid',
    })
  })

  it('ends when the process that started it is killed', async () => {
    const script = `
      import { startLocalPostgres } from ${JSON.stringify(join(import.meta.dirname, '../src/local-postgres.ts'))}
      const postgres = await startLocalPostgres({ directory: ${JSON.stringify(createFolder())}, signal: AbortSignal.timeout(60000), durable: false })
      console.log(postgres.pid)
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const pid = Number(String(line))
    expect(isRunning(pid)).toBe(true)

    child.kill('SIGKILL')

    await expect.poll(() => isRunning(pid)).toBe(false)
  })

  it('does not start once it is told to stop', async () => {
    await expect(
      startLocalPostgres({ directory: createFolder(), signal: AbortSignal.abort(new Error('Told to stop')) }),
    ).rejects.toThrow('Told to stop')
  })
})
