import { decodeClixml, isPsObject } from '@gatehouse/powershell/protocol'
import { expect, it } from 'vitest'
import { printExchangeObject } from './exchange-object.ts'

it('prints what a CLIXML reader gets back exactly, nasty names included', () => {
  const nasty = `O'Brien, "Zoë" <$(calc)> _x0041_ \u0001\n🙈 \ud800 ]]>`
  const xml = printExchangeObject({
    typeNames: ['Microsoft.Exchange.Data.Directory.Management.MobileDevice', 'System.Object'],
    text: nasty,
    properties: [
      ['FriendlyName', nasty],
      ['Nothing', null],
      ['Flag', true],
      ['Count', -7],
      ['Guid', { guid: '9b9387fe-e1b1-4695-97bd-b0a0bebe7ce2' }],
      ['Utc', { utc: new Date('2026-01-02T03:04:05.678Z') }],
      ['Local', { local: new Date('2026-01-02T03:04:05Z') }],
      ['One', { strings: ['a', nasty] }],
      ['Two', { strings: [] }],
      ['Level', { enumeration: 'Some.Enum', text: 'Allow', number: 1 }],
    ],
  })

  const data = decodeClixml(xml)

  if (!isPsObject(data)) throw new Error('a property bag was expected')
  expect(data.text).toBe(nasty)
  expect(data.properties).toMatchObject({
    FriendlyName: nasty,
    Nothing: null,
    Flag: true,
    Count: -7,
    Guid: '9b9387fe-e1b1-4695-97bd-b0a0bebe7ce2',
    Utc: new Date('2026-01-02T03:04:05.678Z'),
    Local: new Date('2026-01-02T03:04:05Z'),
    Level: { text: 'Allow', value: 1 },
  })
  expect(listOf(data.properties.One)).toEqual(['a', nasty])
  expect(listOf(data.properties.Two)).toEqual([])
})

function listOf(data: unknown): unknown {
  return Array.isArray(data) ? data : (data as { value: unknown }).value
}
