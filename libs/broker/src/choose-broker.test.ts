import { describe, expect, it } from 'vitest'
import { chooseBroker } from './choose-broker.ts'
import { ensureRabbitmqServer, findRabbitmqServer } from './ensure-rabbitmq-server.ts'
import type { RunProgram } from './run-program.ts'

const signal = new AbortController().signal
const quiet = { info: () => {}, warn: () => {} }
const ways = /GATEHOUSE_AMQP_URL.*Docker engine.*on the PATH.*apt-get/s

describe('choosing a broker', () => {
  it('takes the one that the environment names and leaves it alone', async () => {
    const broker = await chooseBroker({
      env: { GATEHOUSE_AMQP_URL: 'amqps://me:se%20cret@rabbit.example:5671' },
      directory: '/nowhere',
      log: quiet,
      signal,
      run: () => Promise.reject(new Error('Nothing may be started')),
    })

    expect(broker).toMatchObject({
      kind: 'url',
      amqpUrl: 'amqps://me:se%20cret@rabbit.example:5671',
      managementUrl: 'https://rabbit.example:15672',
      user: 'me',
      password: 'se cret',
    })
    expect(broker.restart).toBeUndefined()
  })

  it('refuses an address that is none', async () => {
    const choosing = chooseBroker({ env: { GATEHOUSE_AMQP_URL: 'rabbit:5672' }, directory: '/nowhere', log: quiet, signal })

    await expect(choosing).rejects.toMatchObject({ code: 'settings-invalid' })
  })

  it("reports in Docker's words why a container did not start", async () => {
    const run: RunProgram = async (_program, args) =>
      args[0] === 'version' ? { code: 0, output: '27.0' } : { code: 125, output: 'docker: no space left on device' }

    await expect(chooseBroker({ env: {}, directory: '/nowhere', log: quiet, signal, run })).rejects.toThrow(
      'no space left on device',
    )
  })
})

describe('finding rabbitmq-server', () => {
  it("prefers what stands behind Debian's wrapper, which would change user and folder", () => {
    const all = new Set([
      '/usr/sbin/rabbitmq-server',
      '/usr/lib/rabbitmq/bin/rabbitmq-server',
      '/opt/homebrew/sbin/rabbitmq-server',
    ])
    const find = (path: string) => findRabbitmqServer(path, (file) => all.has(file))

    expect(find('/usr/bin:/usr/sbin')).toBe('/usr/lib/rabbitmq/bin/rabbitmq-server')
    expect(find('/usr/bin')).toBe('/usr/lib/rabbitmq/bin/rabbitmq-server')
    expect(find('/opt/homebrew/sbin:/usr/bin')).toBe('/opt/homebrew/sbin/rabbitmq-server')
  })

  it('installs it as root on Debian, after saying so', async () => {
    const done: string[] = []
    const isInstalled = (): boolean => done.filter((text) => text.includes('apt-get install')).length > 1
    const run: RunProgram = async (_program, args) => {
      done.push(args.join(' '))
      return { code: isInstalled() ? 0 : 100, output: 'E: Unable to locate package' }
    }

    const program = await ensureRabbitmqServer({
      log: { info: (_fields, text) => done.push(text) },
      signal,
      path: '/usr/sbin',
      userId: 0,
      isExecutable: (file) => file === '/usr/bin/apt-get' || (isInstalled() && file === '/usr/sbin/rabbitmq-server'),
      run,
    })

    expect(program).toBe('/usr/sbin/rabbitmq-server')
    expect(done.map((text) => /Installing|update|install/.exec(text)?.[0])).toEqual([
      'Installing',
      'install',
      'update',
      'install',
    ])
  })

  it('names the four ways to a broker when none is open', async () => {
    const base = { log: quiet, signal, path: '/usr/bin' }

    await expect(ensureRabbitmqServer({ ...base, userId: 1_000, isExecutable: () => false })).rejects.toThrow(ways)
    const run: RunProgram = async () => ({ code: 100, output: 'E: No network' })
    await expect(
      ensureRabbitmqServer({ ...base, userId: 0, isExecutable: (file) => file === '/usr/bin/apt-get', run }),
    ).rejects.toThrow(/No network.*GATEHOUSE_AMQP_URL/s)
  })
})
