import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { PowerShellChild } from '../src/stdio/powershell-child.ts'
import { cleanUp, closeAll } from './open-pool.ts'
import { createFolder } from './stdio-pool.ts'

afterEach(closeAll)

async function start(source: string): Promise<{ child: PowerShellChild; output: () => string }> {
  const script = join(await createFolder(), 'child.cjs')
  await writeFile(script, source)
  const chunks: Buffer[] = []
  const child = new PowerShellChild({
    executable: process.execPath,
    arguments: [script],
    environment: {},
    clock: systemClock,
    onOutput: (chunk) => chunks.push(chunk),
    onErrorOutput: () => {},
  })
  cleanUp.push({ [Symbol.asyncDispose]: () => child.kill() })
  return { child, output: () => Buffer.concat(chunks).toString() }
}

describe('PowerShellChild', () => {
  test('keeps the order of lines while the pipe is full', async () => {
    const { child, output } = await start(
      `const hash = require('node:crypto').createHash('sha256');
       setTimeout(() => process.stdin.on('data', (chunk) => hash.update(chunk)).on('end', () => console.log(hash.digest('hex'))), 200)`,
    )
    const hash = createHash('sha256')
    for (let n = 0; n < 2_000; n++) {
      const line = `${n}:${'x'.repeat(4_000)}`
      hash.update(`${line}\n`)
      child.write(line)
    }

    child.endInput()

    expect(await child.ended).toEqual({ exitCode: 0, signal: undefined })
    expect(output().trim()).toBe(hash.digest('hex'))
  })

  test('keeps the last 8 KiB of standard error', async () => {
    const { child } = await start(`process.stderr.write('a'.repeat(100000) + 'the end')`)

    await child.ended

    expect(child.errorText).toHaveLength(8 * 1024)
    expect(child.errorText.endsWith('aaathe end')).toBe(true)
  })

  test('gives all output before it says how the process ended', async () => {
    const { child, output } = await start(`process.stdout.write('x'.repeat(1000000), () => process.exit(3))`)

    expect(await child.ended).toEqual({ exitCode: 3, signal: undefined })
    expect(output()).toHaveLength(1_000_000)
  })

  test('ends a process that ignores every polite word', async () => {
    const { child, output } = await start(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready')`)
    while (!output().includes('ready')) await new Promise(setImmediate)

    await child.kill()

    expect(await child.ended).toEqual({ exitCode: undefined, signal: 'SIGKILL' })
  })
})
