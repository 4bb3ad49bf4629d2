import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { brokerCredentialsOf, createSecretReader, databaseUrlOf, readSecret, type Settings } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const log = { warn: () => {} }
const settingsWith = (parts: object) => parts as Settings

describe('secrets in files', () => {
  it('lose one newline at their end and nothing else', () => {
    expect(readSecret(write('a', ' pass word \n'))).toBe(' pass word ')
    expect(readSecret(write('b', 'x\r\n'))).toBe('x')
    expect(readSecret(write('c', 'x\n\n'))).toBe('x\n')
  })

  it('are refused when they are missing, empty or no secret by their size', () => {
    for (const path of [join(folder, 'none'), write('empty', '\n'), write('big', 'x'.repeat(600_000)), folder]) {
      expect(() => readSecret(path)).toThrow(
        expect.objectContaining({ code: 'secret-unreadable', message: expect.stringContaining(path) }),
      )
    }
  })

  it('are read again each time, and are what they were while they cannot be', () => {
    const path = write('changing', 'old')
    const warned: unknown[] = []
    const read = createSecretReader(() => readSecret(path), { warn: (fields: object) => void warned.push(fields) })

    write('changing', 'new\n')
    expect(read()).toBe('new')

    write('changing', '')
    expect([read(), warned]).toEqual(['new', [{ reason: expect.stringContaining('is empty') }]])
  })

  it('may hold the URL of the database, which is checked without being shown', () => {
    const database = (urlFile: string) => databaseUrlOf(settingsWith({ database: { urlFile } }))

    expect(database(write('url', 'postgres://u:p@db/gatehouse\n'))).toBe('postgres://u:p@db/gatehouse')
    expect(() => database(write('odd', 'hunter2'))).toThrow(/does not hold a postgres URL/)
  })

  it('make each worker a broker user of its own', () => {
    write('gh-discovery', 'hunter2\n')
    const settings = settingsWith({ broker: { url: 'amqp://mq/gatehouse', usersPasswordDirectory: folder, userPrefix: 'gh-' } })

    expect(brokerCredentialsOf(settings, 'discovery', log)).toEqual({
      url: 'amqp://mq/gatehouse',
      user: 'gh-discovery',
      password: expect.any(Function),
    })
    expect(() => brokerCredentialsOf(settings, 'control', log)).toThrow(/gh-control cannot be read/)
    expect(brokerCredentialsOf(settingsWith({ broker: { url: 'amqp://u:p@mq/' } }), 'control', log)).toEqual({
      url: 'amqp://u:p@mq/',
    })
  })
})
