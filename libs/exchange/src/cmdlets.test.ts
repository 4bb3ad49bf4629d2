import { describe, expect, it } from 'vitest'
import { CMDLETS, namesToAskFor, planPreflight } from './cmdlets.ts'

const modern = Object.values(CMDLETS).map(({ name }) => name as string)
const older = Object.values(CMDLETS).map((cmdlet): string => ('older' in cmdlet ? cmdlet.older : cmdlet.name))

describe('the preflight', () => {
  it('asks for the cmdlets of both dialects', () => {
    expect(new Set(namesToAskFor())).toEqual(new Set([...modern, ...older]))
  })

  it('speaks the newer dialect where both are there', () => {
    expect(planPreflight([...modern, ...older], 'read').names.getMobileDevice).toBe('Get-MobileDevice')
  })

  it('speaks the older dialect to Exchange 2010', () => {
    const { names, missing } = planPreflight(older, 'read')

    expect(names).toMatchObject({ getMobileDevice: 'Get-ActiveSyncDevice', getMailboxPolicy: 'Get-ActiveSyncMailboxPolicy' })
    expect(missing).toEqual([])
  })

  it('names every cmdlet that is missing, whatever the case of the others', () => {
    const available = modern
      .filter((name) => !/^(Set-CASMailbox|Clear-MobileDevice)$/.test(name))
      .map((name) => name.toUpperCase())

    expect(planPreflight(available, 'write')).toMatchObject({
      missing: ['Set-CASMailbox', 'Clear-MobileDevice'],
      missingRequired: ['Set-CASMailbox'],
    })
    expect(planPreflight(available, 'read').missingRequired).toEqual([])
  })

  it('finds everything missing when nothing came back', () => {
    expect(planPreflight([], 'read').missingRequired).toEqual([
      'Set-ADServerSettings',
      'Get-MobileDevice',
      'Get-CASMailbox',
      'Get-ExchangeServer',
    ])
  })
})
