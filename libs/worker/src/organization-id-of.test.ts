import { describe, expect, it } from 'vitest'
import { organizationIdOf } from './organization-id-of.ts'

describe('the id of an organisation', () => {
  it('never changes from one build to the next', () => {
    expect(organizationIdOf('contoso')).toBe('929fd8e9-82d4-589f-8004-683d7f27c57a')
  })

  it('is a version 5 UUID and the same whatever the case of the name', () => {
    expect(organizationIdOf('Contoso Ltd.')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(organizationIdOf('CONTOSO LTD.')).toBe(organizationIdOf('Contoso Ltd.'))
    expect(organizationIdOf('fabrikam')).not.toBe(organizationIdOf('contoso'))
  })
})
