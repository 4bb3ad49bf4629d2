import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { System } from '@gatehouse/cli/system'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestSystem } from './start-test-system.ts'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
const abort = new AbortController()
let system: System

beforeAll(async () => {
  system = await startTestSystem({ devices: 60 }, abort.signal)
}, 180_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  abort.abort()
}, 60_000)

type Ended = { code: number; out: string; err: string }

/** Runs `gatehouse dead-letters …` as a process of its own. */
function deadLetters(...args: string[]): Promise<Ended> {
  const address = ['--url', system.control.url, '--token-file', join(system.directory, 'secrets', 'api-token')]
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'dead-letters', ...args, ...address], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

const json = async (...args: string[]) => JSON.parse((await deadLetters(...args, '--json')).out)

/** Letters about notices that are not stored: notification refuses them for good. */
async function bury(count: number, code: string): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID())
  const lines = ids.map((messageId) => {
    const noticeId = randomUUID()
    const body = { type: 'notification.send-notice', version: 1, messageId, at: new Date().toISOString(), noticeId }
    const headers = {
      'gh-origin-exchange': 'gh.commands',
      'gh-origin-key': 'bulk.notification.send-notice.v1',
      'gh-reason': 'attempts-exhausted',
      'gh-error-code': code,
      'gh-error-class': 'RetryableError',
    }
    return JSON.stringify({ service: 'notification', messageId, type: body.type, headers, body: JSON.stringify(body) })
  })
  const file = join(system.directory, `${code}.ndjson`)
  await writeFile(file, lines.join('\n'))
  expect(await deadLetters('import', file)).toMatchObject({ code: 0, out: `Imported ${count}\n` })
  return ids
}

describe('gatehouse dead-letters', { timeout: 120_000 }, () => {
  it('looks, shows what it would do, and does it when it is told which letters are meant', async () => {
    const ids = await bury(4, 'first')

    const groups = await json('list', '--code', 'first')
    const shown = await deadLetters('replay', '--code', 'first')
    const { hash } = await json('replay', '--code', 'first')
    const refused = await deadLetters('replay', '--code', 'first', '--execute')
    const executed = await deadLetters('replay', '--code', 'first', '--execute', '--hash', hash, '--returned-percent', '100')

    expect(groups).toMatchObject({ matched: 4, value: [{ service: 'notification', code: 'first', count: 4 }] })
    expect(shown).toMatchObject({ code: 0 })
    expect(shown.out).toContain(`say it again with --execute --hash ${hash}`)
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining(hash) })
    expect(executed).toMatchObject({ code: 0, out: expect.stringContaining('finished: 4 of 4 sent, 4 are dead again') })
    const again = await json('list', '--each', '--code', 'notice-unknown')
    expect(again.value.map((letter: { messageId: string }) => letter.messageId).toSorted()).toEqual(ids.toSorted())
  })

  it('stops after canaries that come back, with exit code 1 and the way to go on', async () => {
    await bury(10, 'second')

    const stopped = await deadLetters(
      'replay',
      '--code',
      'second',
      '--execute',
      '--yes',
      '--canary',
      '2',
      '--canary-seconds',
      '20',
    )

    expect(stopped).toMatchObject({ code: 1 })
    expect(stopped.out).toMatch(/stopped: 2 of 10 sent, 2 are dead again.*\(canary-returned\).*gatehouse dead-letters resume/)
    expect(await json('list', '--code', 'second')).toMatchObject({ matched: 8 })
  })

  it('discards and restores, edits and exports', async () => {
    const [first = '', second = ''] = await bury(2, 'third')
    const patch = JSON.stringify([{ op: 'replace', path: '/noticeId', value: randomUUID() }])

    const discarded = await deadLetters('discard', '--id', first, '--reason', 'a test', '--execute', '--yes')
    const restored = await deadLetters('restore', first)
    const edited = await json('edit', second, '--patch', patch)
    const exported = await deadLetters('export', '--code', 'third')

    expect(discarded).toMatchObject({ code: 0, out: 'Discarded 1 of 1\n' })
    expect(restored).toMatchObject({ code: 0, out: 'Restored 1\n' })
    const lines = exported.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).messageId)
    expect(lines.toSorted()).toEqual([first, edited.messageId].toSorted())
    const { value } = await json('actions', '--top', '4')
    expect(value.map((one: { action: string }) => one.action)).toEqual(['export', 'edit', 'restore', 'discard'])
  })

  it('says what is wrong with what it is given, and says so when nothing is meant', async () => {
    const [id = ''] = await bury(1, 'fourth')

    expect(await deadLetters('replay', '--code', 'nothing')).toMatchObject({
      code: 0,
      out: 'No dead letter satisfies the filter\n',
    })
    expect(await deadLetters('replay', '--colour', 'red')).toMatchObject({ code: 2, err: expect.stringContaining('--colour') })
    expect(await deadLetters('list', '--older-than', 'soon')).toMatchObject({ code: 2, err: expect.stringContaining('90s') })
    expect(await deadLetters('list', '--mailbox-id', 'x')).toMatchObject({ code: 1, err: expect.stringContaining('mailboxId') })
    expect(await deadLetters('edit', id, '--patch', '{')).toMatchObject({ code: 2, err: expect.stringContaining('not JSON') })
    expect(await deadLetters('edit', id, '--patch', '[{"op":"remove","path":"/noticeId"}]')).toMatchObject({
      code: 1,
      err: expect.stringContaining('noticeId'),
    })
    expect(await deadLetters('show', randomUUID())).toMatchObject({
      code: 1,
      err: expect.stringContaining('no such dead letter'),
    })
    expect(await deadLetters('import', '/nowhere')).toMatchObject({ code: 2, err: expect.stringContaining('/nowhere') })
  })
})
