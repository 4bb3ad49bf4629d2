import { describe, expect, it } from 'vitest'
import { type AccessChangePlan, createSetCasMailbox } from './set-cas-mailbox.ts'

const GUID = '8A2B7C1D-1e5f-4c0b-8f3d-2a9b4c6d8e10'
const plan = (fields: Partial<AccessChangePlan>): AccessChangePlan => ({
  allowAdd: [],
  allowRemove: [],
  blockAdd: [],
  blockRemove: [],
  ...fields,
})

describe('the cmdlet of a plan', () => {
  it('adds and removes by typed hashtables, without the empty ones', () => {
    expect(createSetCasMailbox(GUID, plan({ allowAdd: ['A', 'B'], blockRemove: ['A'] }))).toEqual({
      name: 'Set-CASMailbox',
      parameters: {
        Identity: GUID.toLowerCase(),
        ActiveSyncAllowedDeviceIDs: { Add: ['A', 'B'] },
        ActiveSyncBlockedDeviceIDs: { Remove: ['A'] },
      },
    })
  })

  it('does not name a list that does not change', () => {
    const { parameters } = createSetCasMailbox(GUID, plan({ blockAdd: ['A'], blockRemove: ['B'] }))

    expect(parameters).toEqual({ Identity: GUID.toLowerCase(), ActiveSyncBlockedDeviceIDs: { Add: ['A'], Remove: ['B'] } })
  })

  it.each(['', ' ', '*', 'ann@contoso.com', '00000000-0000-0000-0000-000000000000', `${GUID},${GUID}`])(
    'is refused for the identity %j',
    (identity) => {
      expect(() => createSetCasMailbox(identity, plan({ allowAdd: ['A'] }))).toThrow(
        expect.objectContaining({ code: 'identity-refused' }),
      )
    },
  )

  it('is refused when there is nothing to change', () => {
    expect(() => createSetCasMailbox(GUID, plan({}))).toThrow(expect.objectContaining({ code: 'empty-plan' }))
  })

  it('is refused for an empty id, and for one that is added and removed', () => {
    for (const refused of [plan({ allowAdd: [' '] }), plan({ blockAdd: ['A'], blockRemove: ['A'] })])
      expect(() => createSetCasMailbox(GUID, refused)).toThrow(expect.objectContaining({ code: 'plan-refused' }))
  })
})
