import { describe, expect, test } from 'vitest'
import { readPacket, SESSION_ID, writePacket } from './packet.ts'

const ID = '0f8fad5b-d9cb-469f-a165-70867728950e'
const read = (line: string) => readPacket(Buffer.from(line, 'latin1'))

describe('packets', () => {
  test('are written as PowerShell writes them', () => {
    expect(writePacket('Command', ID)).toBe(`<Command PSGuid='${ID}' />`)
    expect(writePacket('Data', SESSION_ID, Buffer.from('abcd'))).toBe(
      `<Data Stream='Default' PSGuid='${SESSION_ID}'>YWJjZA==</Data>`,
    )
  })

  test('with data are read, of either stream, with their id in lower case', () => {
    for (const stream of ['Default', 'PromptResponse']) {
      expect(read(`<Data Stream='${stream}' PSGuid='${ID.toUpperCase()}'>YWJjZA==</Data>`)).toEqual({
        kind: 'data',
        id: ID,
        bytes: new Uint8Array(Buffer.from('abcd')),
      })
    }
  })

  test.each(['Data', 'Command', 'Signal', 'Close'] as const)('that acknowledge %s are read', (of) => {
    expect(read(`<${of}Ack PSGuid='${ID}' />`)).toEqual({ kind: 'ack', of, id: ID })
  })

  test('of many megabytes are read', () => {
    const bytes = new Uint8Array(4 * 1024 * 1024).map((_, at) => at % 251)

    const packet = read(writePacket('Data', ID, bytes))

    expect(packet).toMatchObject({ kind: 'data' })
    expect(Buffer.from('bytes' in packet ? packet.bytes : []).equals(bytes)).toBe(true)
  })

  test.each([
    ['nothing', ''],
    ['text', 'Welcome to PowerShell'],
    ['what only a client sends', `<Command PSGuid='${ID}' />`],
    ['an unknown element', `<PromptAck PSGuid='${ID}' />`],
    ['an id that is none', `<DataAck PSGuid='${ID.slice(1)}' />`],
    ['an id with something else in it', `<DataAck PSGuid='${ID}'/><!-- -->`],
    ['an unknown stream', `<Data Stream='Other' PSGuid='${ID}'>YWJj</Data>`],
    ['data without an end', `<Data Stream='Default' PSGuid='${ID}'>YWJj`],
    ['an end without data', `<Data Stream='Default' PSGuid='${ID}'></Dat`],
    ['data that is not base64', `<Data Stream='Default' PSGuid='${ID}'>YW%j</Data>`],
    ['an element in the data', `<Data Stream='Default' PSGuid='${ID}'>YWJj<x/></Data>`],
    ['two packets in one line', `<DataAck PSGuid='${ID}' /><DataAck PSGuid='${ID}' />`],
    ['entity tricks', `<!DOCTYPE x [<!ENTITY a "b">]><DataAck PSGuid='${ID}' />`],
    ['something before it', ` <DataAck PSGuid='${ID}' />`],
  ])('are refused when they are %s', (_what, line) => {
    expect(() => read(line)).toThrow(expect.objectContaining({ name: 'PermanentError', code: 'stdio-malformed' }))
  })

  test('that are none are shown in one line of ASCII', () => {
    expect(() => read('a\u0007b\u00e9\u001b[31m')).toThrow('not a packet: "a?b??[31m"')
  })
})
