import type { CasMailbox, MobileDevice } from '@gatehouse/exchange'
import { describe, expect, it } from 'vitest'
import { joinPartnerships } from './join-partnerships.ts'

const mailbox: CasMailbox = {
  guid: 'mailbox',
  distinguishedName: 'CN=Lee\\, Ann,DC=Contoso',
  primarySmtpAddress: 'ann@contoso.com',
  displayName: 'Lee, Ann',
  activeSyncEnabled: true,
  allowedDeviceIds: [],
  blockedDeviceIds: [],
}
const device: MobileDevice = {
  guid: 'device',
  distinguishedName: '',
  mailboxDistinguishedName: 'cn=lee\\, ann,dc=contoso',
  deviceId: 'A',
  deviceType: 'iPhone',
  deviceModel: '',
  deviceOs: '',
  deviceUserAgent: '',
  friendlyName: 'x\0y\ud800z',
  clientType: 'EAS',
  accessState: 'Allowed',
  accessStateReason: 'Global',
  firstSyncTime: undefined,
}

describe('devices and mailboxes', () => {
  it('are joined by distinguished name without regard to case', () => {
    expect(joinPartnerships([mailbox], [device])).toMatchObject({
      partnerships: [{ id: 'device', mailbox_id: 'mailbox' }],
      orphans: [],
    })
  })

  it('leave over a device whose mailbox is not listed', () => {
    const { partnerships, orphans } = joinPartnerships([], [device])

    expect(partnerships).toEqual([])
    expect(orphans).toMatchObject([{ guid: 'device' }])
  })

  it('are stored without what PostgreSQL cannot hold', () => {
    expect(joinPartnerships([mailbox], [device]).partnerships[0]?.friendly_name).toBe('xy\ufffdz')
  })

  it('are stored once when Exchange lists them twice', () => {
    expect(joinPartnerships([mailbox, mailbox], [device, device])).toMatchObject({ mailboxes: [{}], partnerships: [{}] })
    expect(joinPartnerships([mailbox, mailbox], [device, device]).partnerships).toHaveLength(1)
  })
})
