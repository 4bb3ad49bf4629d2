import type { AccessChangePlan, OpenChange } from '@gatehouse/store'
import { describe, expect, it } from 'vitest'
import { endedChanges } from './ended-changes.ts'

const plan = (fields: Partial<AccessChangePlan>): AccessChangePlan => ({
  allowAdd: [],
  allowRemove: [],
  blockAdd: [],
  blockRemove: [],
  ...fields,
})
const change = (id: string, fields: Partial<OpenChange>): OpenChange => ({
  id,
  state: 'written',
  plan: plan({ allowAdd: ['A'] }),
  decision_version: 1,
  is_before_observation: true,
  announced_ms: null,
  notice_state: null,
  ...fields,
})
const ended = (changes: OpenChange[], allowed: string[], blocked: string[] = [], keptId?: string) =>
  endedChanges({ changes, allowed_device_ids: allowed, blocked_device_ids: blocked }, keptId)

describe('changes that have come to their end', () => {
  it('are verified by a later read that shows them', () => {
    expect(ended([change('1', {})], ['a'])).toEqual({ verifiedIds: ['1'], superseded: { ids: [] } })
  })

  it('are drift when a later read does not show them', () => {
    expect(ended([change('1', {})], [])).toMatchObject({
      verifiedIds: [],
      superseded: { ids: ['1'], problem: { code: 'exchange-drift' } },
    })
  })

  it('are not judged by a read that began before they were written', () => {
    expect(ended([change('1', { is_before_observation: false })], [])).toEqual({ verifiedIds: [], superseded: { ids: [] } })
  })

  it('are verified when we have changed the same device again since', () => {
    const changes = [change('1', {}), change('2', { plan: plan({ allowRemove: ['a'], blockAdd: ['A'] }) })]

    expect(ended(changes, [], ['A']).verifiedIds.toSorted()).toEqual(['1', '2'])
  })

  it('are judged each by its own devices', () => {
    const changes = [change('1', {}), change('2', { plan: plan({ allowAdd: ['B'] }) })]

    expect(ended(changes, ['B'])).toMatchObject({ verifiedIds: ['2'], superseded: { ids: ['1'] } })
  })

  it('include announcements that are overtaken, but not the one that is about to be written', () => {
    const changes = [change('1', { state: 'announced' }), change('2', { state: 'announced' })]

    expect(ended(changes, [], [], '2')).toEqual({ verifiedIds: [], superseded: { ids: ['1'] } })
  })
})
