import type { ObservedMailbox, ObservedPartnership } from '@gatehouse/store'
import { describe, expect, it } from 'vitest'
import { type PublishedMailboxesInput, planPublishedMailboxes } from './plan-published-mailboxes.ts'

const RUN = 'run'
const mailbox = (id: string, fields: Partial<ObservedMailbox> = {}): ObservedMailbox => ({
  id,
  distinguished_name: `CN=${id}`,
  primary_smtp_address: `${id}@contoso.com`,
  display_name: id,
  active_sync_enabled: true,
  allowed_device_ids: ['X', 'Y'],
  blocked_device_ids: [],
  ...fields,
})
const partnership = (id: string, mailbox_id: string, fields: Partial<ObservedPartnership> = {}): ObservedPartnership => ({
  id,
  mailbox_id,
  device_id: id,
  device_type: 'iPhone',
  device_model: 'iPhone15C2',
  device_os: 'iOS 26',
  device_user_agent: '',
  friendly_name: '',
  client_type: 'EAS',
  device_access_state: 'Allowed',
  device_access_state_reason: 'Global',
  first_sync_time: new Date(0),
  ...fields,
})
const storedMailbox = (row: ObservedMailbox, fields = {}) => ({
  ...row,
  is_vanished: false,
  published_run_id: 'earlier',
  ...fields,
})
const storedPartnership = (row: ObservedPartnership, fields = {}) => ({
  ...row,
  first_sync_time: new Date(0),
  is_vanished: false,
  ...fields,
})

const same: PublishedMailboxesInput = {
  syncType: 'deltaSync',
  runId: RUN,
  observed: {
    mailboxes: [mailbox('ann'), mailbox('ben'), mailbox('none')],
    partnerships: [partnership('1', 'ann'), partnership('2', 'ben')],
  },
  stored: {
    mailboxes: [storedMailbox(mailbox('ann')), storedMailbox(mailbox('ben')), storedMailbox(mailbox('none'))],
    partnerships: [storedPartnership(partnership('1', 'ann')), storedPartnership(partnership('2', 'ben'))],
  },
  keptIds: new Set(),
  isComplete: true,
}
const plan = (fields: Partial<PublishedMailboxesInput>) => [...planPublishedMailboxes({ ...same, ...fields })].toSorted()

describe('the mailboxes a sync publishes', () => {
  it('are all with a partnership in a full sync', () => {
    expect(plan({ syncType: 'fullSync' })).toEqual(['ann', 'ben'])
  })

  it('are none in a quick sync when nothing differs, whatever the order of the lists', () => {
    const mailboxes = [mailbox('ann', { allowed_device_ids: ['Y', 'X'] }), ...same.observed.mailboxes.slice(1)]

    expect(plan({ observed: { ...same.observed, mailboxes } })).toEqual([])
  })

  it.each([
    ['a changed list', { blocked_device_ids: ['Z'] }],
    ['another address', { primary_smtp_address: 'anna@contoso.com' }],
    ['ActiveSync switched off', { active_sync_enabled: false }],
  ])('are the one with %s', (_what, fields) => {
    expect(plan({ observed: { ...same.observed, mailboxes: [mailbox('ann', fields), mailbox('ben')] } })).toEqual(['ann'])
  })

  it('are the one with a device in another state', () => {
    const partnerships = [partnership('1', 'ann'), partnership('2', 'ben', { device_access_state: 'Quarantined' })]

    expect(plan({ observed: { ...same.observed, partnerships } })).toEqual(['ben'])
  })

  it('are the one with a new device, and the one with a device that came back', () => {
    const partnerships = [...same.observed.partnerships, partnership('3', 'ann')]
    const stored = {
      ...same.stored,
      partnerships: [same.stored.partnerships[0], storedPartnership(partnership('2', 'ben'), { is_vanished: true })].filter(
        (each) => each !== undefined,
      ),
    }

    expect(plan({ observed: { ...same.observed, partnerships } })).toEqual(['ann'])
    expect(plan({ stored })).toEqual(['ben'])
  })

  it('are both the old and the new one of a device that has moved', () => {
    const partnerships = [partnership('1', 'ann'), partnership('2', 'ann')]

    expect(plan({ observed: { ...same.observed, partnerships } })).toEqual(['ann', 'ben'])
  })

  it('are the one that has lost a device, in either sync', () => {
    const observed = { ...same.observed, partnerships: [partnership('1', 'ann')] }

    expect(plan({ observed })).toEqual(['ben'])
    expect(plan({ observed, syncType: 'fullSync' })).toEqual(['ann', 'ben'])
  })

  it('do not lose a device that an incomplete list lacks, or whose row could not be read', () => {
    const observed = { ...same.observed, partnerships: [partnership('1', 'ann')] }

    expect(plan({ observed, isComplete: false })).toEqual([])
    expect(plan({ observed, keptIds: new Set(['2']) })).toEqual([])
  })

  it('are those it has published already when it died in the middle', () => {
    const mailboxes = [storedMailbox(mailbox('ann'), { published_run_id: RUN }), ...same.stored.mailboxes.slice(1)]

    expect(plan({ stored: { ...same.stored, mailboxes } })).toEqual(['ann'])
  })
})
