import { describe, expect, it } from 'vitest'
import { changeMultiValue } from './multi-value.ts'

describe('changeMultiValue', () => {
  it('clears with null and replaces with a list or one string', () => {
    expect(changeMultiValue(['A'], null)?.list).toEqual([])
    expect(changeMultiValue(['A'], ['B', 'C', 'b'])?.list).toEqual(['B', 'C'])
    expect(changeMultiValue(['A'], 'B')?.list).toEqual(['B'])
  })
  it('adds and removes by hashtable without case, and names what was there already', () => {
    const table = new Map<string, string[] | string>([
      ['add', ['a', 'D']],
      ['REMOVE', 'b'],
    ])

    expect(changeMultiValue(['A', 'B', 'C'], table)).toEqual({ list: ['A', 'C', 'D'], duplicates: ['a'] })
  })
  it('does not understand a hashtable of anything else', () => {
    expect(changeMultiValue([], new Map([['Append', 'x']]))).toBeUndefined()
  })
})
