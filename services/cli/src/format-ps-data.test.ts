import type { PsData } from '@gatehouse/powershell'
import { describe, expect, it } from 'vitest'
import { toJson } from './format-ps-data.ts'

describe('a PowerShell value as JSON', () => {
  it('is the text of an object that has nothing but a text', () => {
    expect(toJson({ typeNames: ['ADObjectId'], text: 'contoso.com/Users/Anna', value: undefined, properties: {} })).toBe(
      'contoso.com/Users/Anna',
    )
  })

  it('does not follow a list that holds itself, and shows one that is there twice', () => {
    const twice: PsData[] = [1]
    const itself: PsData[] = [twice, twice]
    itself.push(itself)

    expect(toJson(itself)).toEqual([[1], [1], '(holds itself)'])
  })
})
