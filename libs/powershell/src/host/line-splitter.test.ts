import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineSplitter } from './line-splitter.ts'

describe('LineSplitter', () => {
  test('gives the same lines in whatever pieces they come', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', 'ä', '📱', '\n', '\r\n'), maxLength: 60 })
    const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 })

    fc.assert(
      fc.property(text, cuts, (whole, sizes) => {
        const splitter = new LineSplitter(1_000)
        const lines: string[] = []
        for (let from = 0, n = 0; from < whole.length; n++) {
          const size = sizes[n % sizes.length] ?? 1
          splitter.split(whole.slice(from, from + size), (line) => lines.push(line))
          from += size
        }

        expect(lines).toEqual(
          whole
            .split('\n')
            .slice(0, -1)
            .map((line) => line.replace(/\r$/, '')),
        )
      }),
    )
  })

  test('says when a line grows beyond its limit, before it ends', () => {
    const splitter = new LineSplitter(10)

    expect(splitter.split('0123456789\n01234', () => {})).toBe(true)
    expect(splitter.split('567890', () => {})).toBe(false)
  })
})
