import { describe, expect, test } from 'vitest'
import { parseHostLine } from './host-line.ts'

const END = { op: 'end', id: 1, state: 'completed', prompted: false, tooLarge: false, dropped: 0 }

describe('parseHostLine', () => {
  test.each([
    [{ op: 'hello', pid: 1, group: true, version: '5.1.1' }],
    [{ op: 'opened' }],
    [{ op: 'open-failed', code: -2144108083, data: '' }],
    [{ op: 'pong', bytes: 1 }],
    [{ op: 'output', id: 1, data: '' }],
    [END],
  ])('reads %j', (line) => {
    expect(parseHostLine(JSON.stringify(line))).toEqual(line)
  })

  test.each(['', 'text', '[]', '{"id":1}', ' {"op":"opened"}'])('takes no notice of %j', (text) => {
    expect(parseHostLine(text)).toBeUndefined()
  })

  test.each([
    ['{"op":"opened"'],
    ['{"op":"invoke","id":1,"data":""}'],
    ['{"op":"output","id":-1,"data":""}'],
    ['{"op":"output","id":"1","data":""}'],
    ['{"op":"output","id":1}'],
    ['{"op":"output","id":1,"data":["x"]}'],
    [JSON.stringify({ ...END, state: 'done' })],
    [JSON.stringify({ ...END, dropped: 1.5 })],
    ['{"op":"hello","pid":1}'],
  ])('refuses %s', (text) => {
    expect(() => parseHostLine(text)).toThrow(expect.objectContaining({ code: 'powershell-malformed' }))
  })
})
