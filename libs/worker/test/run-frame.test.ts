import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fatalLineOf } from '../../../test/environment/fatal-line-of.ts'
import { SETTINGS_ENV, type StartedProcess, startProcess } from '../../../test/environment/start-process.ts'

const BASE = SETTINGS_ENV
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function run(env: Record<string, string>, args: string[] = []): StartedProcess {
  const started = startProcess(join(import.meta.dirname, 'fixtures/worker-with-stubs.ts'), env, args)
  children.push(started.child)
  return started
}

describe('a worker process', () => {
  it('prints one line when it is ready and then answers on its health address', async () => {
    const { line, child } = run(BASE)
    const ready = JSON.parse(await line('{"ready"')) as { worker: string; pid: number; healthUrl: string }

    const [alive, readiness, metrics] = await Promise.all(
      ['healthz', 'readyz', 'metrics'].map((path) => fetch(`${ready.healthUrl}/${path}`)),
    )

    expect(ready).toMatchObject({ worker: 'enforcement', pid: child.pid })
    expect([alive?.status, readiness?.status, metrics?.status]).toEqual([200, 503, 200])
    expect(await readiness?.json()).toEqual({ worker: 'well', broker: 'blocked' })
    expect(await metrics?.text()).toContain('process_resident_memory_bytes{worker="enforcement"}')
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`finishes the work in hand, lets go in reverse and exits 0 at the first ${signal}`, async () => {
      const { child, line, lines, code } = run(BASE)
      await line('{"ready"')

      child.kill(signal)

      expect(await code).toBe(0)
      expect(lines.slice(1)).toEqual(['signal aborted', 'service stops', 'service stopped', 'parts stops', 'parts stopped'])
    })
  }

  it('takes a signal that reaches it twice at the same time for one', async () => {
    const { child, line, code, lines } = run(BASE)
    await line('{"ready"')

    child.kill('SIGINT')
    child.kill('SIGTERM')

    expect(await code).toBe(0)
    expect(lines).toContain('parts stopped')
  })

  it('leaves at once with 1 when it is told twice', async () => {
    const { child, line, code, lines } = run({ ...BASE, WORKER_STUB: 'slow' })
    await line('{"ready"')
    child.kill('SIGTERM')
    await line('service stops')

    const asking = setInterval(() => child.kill('SIGTERM'), 50)
    void code.finally(() => clearInterval(asking))

    expect(await code).toBe(1)
    expect(lines).not.toContain('parts stops')
  })

  it('leaves with 1 when the work in hand takes longer than shutdownSeconds', async () => {
    const { child, line, code, errors } = run({ ...BASE, WORKER_STUB: 'slow', GATEHOUSE_WORKER_SHUTDOWN_SECONDS: '1' })
    await line('{"ready"')

    child.kill('SIGTERM')

    expect(await code).toBe(1)
    expect(errors()).toContain('Not stopped in time')
  })

  it('exits 0 when it is told to stop before it is ready', async () => {
    const { child, code, errors } = run({ ...BASE, WORKER_STUB: 'unreachable', GATEHOUSE_WORKER_HEALTH_PORT: '0' })
    await expect.poll(errors).toContain('Starting')

    child.kill('SIGTERM')

    expect([await code, errors()]).toEqual([0, expect.stringContaining('Stopped before it was ready')])
  })

  it('exits 0 and names what still holds the process when a service leaks a timer', async () => {
    const { child, line, code, errors } = run({ ...BASE, WORKER_STUB: 'leak' })
    await line('{"ready"')

    child.kill('SIGTERM')

    expect(await code).toBe(0)
    expect(errors()).toMatch(/Something still holds the process/)
  })
})

describe('a worker process that cannot run', () => {
  it('exits 2 and lists every problem of its settings in one line, without the secrets in them', async () => {
    const { code, errors, lines } = run({
      ...BASE,
      GATEHOUSE_BROKER_URL: 'http://user:hunter2@host/',
      GATEHOUSE_WORKER_START_SECONDS: '0',
    })

    expect(await code).toBe(2)
    expect(fatalLineOf(errors())).toMatch(
      /^Cannot start: 2 problems.*broker\.url: "http:\/\/\*\*\*@host\/".*worker\.startSeconds: 0/,
    )
    expect(errors()).not.toContain('hunter2')
    expect(lines).toEqual([])
  })

  it('exits 2 when its settings file is not there, or when it is called in a wrong way', async () => {
    const missing = run(BASE, ['--config', '/nowhere/gatehouse.yaml'])
    const wrong = run(BASE, ['--confug', 'x'])

    expect(await Promise.all([missing.code, wrong.code])).toEqual([2, 2])
    expect(fatalLineOf(missing.errors())).toContain('/nowhere/gatehouse.yaml cannot be read: ENOENT')
    expect(fatalLineOf(wrong.errors())).toContain("'--confug'")
  })

  it('exits 2 when somebody else has its health port, or its health address is not of this machine', async () => {
    const { line } = run(BASE)
    const { healthUrl } = JSON.parse(await line('{"ready"')) as { healthUrl: string }
    const taken = run({ ...BASE, GATEHOUSE_WORKER_HEALTH_PORT: new URL(healthUrl).port })
    const foreign = run({ ...BASE, GATEHOUSE_WORKER_HEALTH_HOST: '192.0.2.1' })

    expect(await Promise.all([taken.code, foreign.code])).toEqual([2, 2])
    expect(fatalLineOf(taken.errors())).toMatch(/worker\.healthPort: cannot listen on .*EADDRINUSE/)
    expect(fatalLineOf(foreign.errors())).toContain('EADDRNOTAVAIL')
  })

  it('exits 3 when a dependency is not reached within startSeconds', async () => {
    const { code, errors } = run({ ...BASE, WORKER_STUB: 'unreachable', GATEHOUSE_WORKER_START_SECONDS: '1' })

    expect(await code).toBe(3)
    expect(fatalLineOf(errors())).toContain('Cannot start: Not reached within 1 s')
  })

  it('exits 1 when a dependency refuses it for good, and 3 when the service itself cannot reach one', async () => {
    const refused = run({ ...BASE, WORKER_STUB: 'refused' })
    const away = run({ ...BASE, WORKER_STUB: 'start-fails' })

    expect(await Promise.all([refused.code, away.code])).toEqual([1, 3])
    expect([refused, away].map(({ errors }) => fatalLineOf(errors()))).toEqual(['Cannot start: Refused', 'Cannot start: Away'])
  })

  it('exits 1 with a stack when what fails at the start is a defect', async () => {
    const { code, errors } = run({ ...BASE, WORKER_STUB: 'start-defect' })

    expect(await code).toBe(1)
    expect(errors()).toMatch(/Cannot start: a defect/)
    expect(errors()).toContain('worker-with-stubs.ts')
  })

  it('exits 1 at a promise nobody waits for, and logs it without the secrets in it', async () => {
    const { code, errors } = run({ ...BASE, WORKER_STUB: 'defect' })

    expect(await code).toBe(1)
    expect(errors()).toContain('"event":"unhandledRejection","msg":"Defect')
    expect(errors()).not.toContain('hunter2')
  })

  it('waits restartDelaySeconds before it exits, and no longer once it is asked to stop', async () => {
    const delay = { GATEHOUSE_WORKER_RESTART_DELAY_SECONDS: '600' }
    const runs = [
      run({ ...BASE, ...delay, WORKER_STUB: 'refused' }),
      run({ ...BASE, ...delay, GATEHOUSE_BROKER_URL: 'http://x' }),
    ]

    for (const { child, errors } of runs) {
      await expect.poll(errors).toContain('Waiting before it exits')
      expect([child.exitCode, fatalLineOf(errors())]).toEqual([null, expect.stringContaining('Cannot start')])
      child.kill('SIGTERM')
    }

    expect(await Promise.all(runs.map(({ code }) => code))).toEqual([1, 2])
  })
})
