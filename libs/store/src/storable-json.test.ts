import { describe, expect, it } from 'vitest'
import { storableJson } from './storable-json.ts'

describe('JSON for PostgreSQL', () => {
  it('holds neither NUL nor half a surrogate pair', () => {
    expect(storableJson({ name: 'a\0b\ud800c', list: ['\udc00'] })).toBe('{"name":"ab\ufffdc","list":["\ufffd"]}')
  })

  it('holds neither in any row of a list, and leaves the other rows as they are', () => {
    expect(storableJson([{ name: 'a\0' }, { name: 'b', list: [1, null] }, null, undefined])).toBe(
      '[{"name":"a"},{"name":"b","list":[1,null]},null,null]',
    )
  })

  it('keeps everything else, and text that only looks like such an escape', () => {
    const value = { name: 'Zoé 👍 "x" \\u0000 \\ud800', at: new Date(0), none: null }

    expect(storableJson(value)).toBe(JSON.stringify(value))
  })
})
