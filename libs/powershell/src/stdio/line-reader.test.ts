import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineReader } from './line-reader.ts'

const linesOf = (reader: LineReader, chunks: string[]) =>
  chunks.flatMap((chunk) => reader.receive(Buffer.from(chunk)).map((line) => line.toString()))

describe('LineReader', () => {
  test('gives the same lines in whatever pieces they come', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', '<', '\ud83d\ude00'), maxLength: 20 })
    const text = fc.array(line, { maxLength: 8 })

    fc.assert(
      fc.property(text, fc.array(fc.nat(40), { maxLength: 20 }), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''))
        const edges = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length]
        const reader = new LineReader({ lineBytesMax: 1_000 })

        const read = edges.slice(1).flatMap((edge, at) => reader.receive(bytes.subarray(edges[at], edge)))

        expect(read.map((one) => one.toString())).toEqual(lines)
      }),
    )
  })

  test('takes the line ends of Windows', () => {
    expect(linesOf(new LineReader({ lineBytesMax: 10 }), ['a\r', '\nb\r\n\r\n'])).toEqual(['a', 'b', ''])
  })

  test('refuses a line that is too long before it has ended', () => {
    const reader = new LineReader({ lineBytesMax: 10 })

    expect(linesOf(reader, ['0123456789\n', '01234', '56789'])).toEqual(['0123456789'])
    expect(() => reader.receive(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'stdio-malformed' }))
  })
})
