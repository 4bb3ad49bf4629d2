import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'

/** What stands for npm: puts in place what `npm ci` would, talks on standard output. */
const NPM = `
const { cpSync } = require('node:fs')
console.log('npm says hello', ...process.argv.slice(2))
if (process.env.NPM_FAILS) process.exit(1)
cpSync('package-lock.json', 'node_modules/.package-lock.json')`

const VERB = `
if (process.argv[2] === 'wait') {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { console.log(signal); setTimeout(() => process.exit(7), 400) })
  setInterval(() => {}, 1000)
}
console.log(JSON.stringify({ arguments: process.argv.slice(2), node: process.execPath }))
if (process.argv[2] === 'fail') process.exit(5)
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL')`

const checkouts: string[] = []

afterEach(() => {
  for (const checkout of checkouts.splice(0)) rmSync(checkout, { recursive: true, force: true })
})

function createCheckout(): string {
  const checkout = mkdtempSync(join(tmpdir(), 'gatehouse-checkout-'))
  checkouts.push(checkout)
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(checkout, path)), { recursive: true })
    writeFileSync(join(checkout, path), text)
  }
  write('scripts/x', '')
  for (const name of ['run.mjs', 'find-missing-packages.mjs'])
    copyFileSync(join(import.meta.dirname, '..', name), join(checkout, 'scripts', name))
  write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } }))
  write('npm.js', NPM)
  write('services/cli/src/main.ts', VERB)
  write('test/bench/sync.ts', VERB)
  mkdirSync(join(checkout, 'node_modules/.bin'), { recursive: true })
  symlinkSync(process.execPath, join(checkout, 'node_modules/.bin/node'))
  return checkout
}

type Run = { child: ChildProcess; stdout: () => string; stderr: () => string; code: Promise<number | null> }

function run(checkout: string, args: string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [join(checkout, 'scripts/run.mjs'), ...args], {
    env: { ...process.env, npm_execpath: join(checkout, 'npm.js'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    texts.stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString()
  })
  const code = once(child, 'close').then(([exit]) => exit as number | null)
  return { child, stdout: () => texts.stdout, stderr: () => texts.stderr, code }
}

describe('a verb in a checkout', () => {
  it('installs the packages once, says so on standard error only, and then runs with the Node of the project', async () => {
    const checkout = createCheckout()

    const first = run(checkout, ['gatehouse', 'status', '--json'])
    expect(await first.code).toBe(0)
    const second = run(checkout, ['demo', '--json'])
    expect(await second.code).toBe(0)

    expect(first.stderr()).toMatch(/Installing 1 packages[\s\S]*npm says hello ci --ignore-scripts/)
    expect(JSON.parse(first.stdout())).toMatchObject({ arguments: ['status', '--json'] })
    expect(JSON.parse(second.stdout())).toMatchObject({ arguments: ['demo', '--json'] })
    expect(second.stderr()).toBe('')
  })

  it('keeps the exit code', async () => {
    const checkout = createCheckout()
    await run(checkout, ['gatehouse']).code

    expect(await run(checkout, ['gatehouse', 'fail']).code).toBe(5)
    expect(await run(checkout, ['gatehouse', 'die']).code).toBe(137)
  })

  it('fails when the install does, without running the verb', async () => {
    const { code, stdout, stderr } = run(createCheckout(), ['gatehouse'], { NPM_FAILS: '1' })

    expect(await code).toBe(1)
    expect([stdout(), stderr()]).toEqual(['', expect.stringContaining('npm ci failed')])
  })

  it('is passed the signals, each once though it came twice', async () => {
    const { child, code, stdout } = run(createCheckout(), ['gatehouse', 'wait'])
    await expect.poll(stdout).toContain('"wait"')

    child.kill('SIGTERM')
    child.kill('SIGINT')

    expect(await code).toBe(7)
    expect(stdout().match(/SIG/g)).toHaveLength(1)
  })

  it('is told to be unknown, with what there is', async () => {
    const checkout = createCheckout()

    const unknown = run(checkout, ['constructor'])
    expect(await unknown.code).toBe(2)
    expect(unknown.stderr()).toMatch(/<test\|unit\|.*\|campaign>/)
    await run(checkout, ['gatehouse']).code
    const bench = run(checkout, ['bench', '../../x'])
    expect(await bench.code).toBe(2)
    expect(bench.stderr()).toContain('names: sync')
    expect(await run(checkout, ['bench', 'sync', '--json']).code).toBe(0)
  })
})
