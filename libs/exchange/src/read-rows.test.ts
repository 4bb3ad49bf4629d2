import type { PsData, PsObject } from '@gatehouse/powershell'
import { describe, expect, it } from 'vitest'
import { CAS_MAILBOX_PROPERTIES, parseCasMailbox } from './cas-mailbox.ts'
import { parseExchangeServer } from './exchange-server.ts'
import { MOBILE_DEVICE_PROPERTIES, parseMobileDevice } from './mobile-device.ts'
import { readRows } from './read-rows.ts'

const GUID = '8a2b7c1d-1e5f-4c0b-8f3d-2a9b4c6d8e10'
const bag = (text: string | undefined, value?: PsData): PsObject => ({ typeNames: [], text, value, properties: {} })
const row = (properties: Record<string, PsData>): PsObject => ({ typeNames: [], text: undefined, value: undefined, properties })

const device = {
  Guid: GUID.toUpperCase(),
  DistinguishedName: 'CN=iPhone§A,CN=ExchangeActiveSyncDevices,CN=Ann,DC=contoso',
  DeviceId: 'ApplAbC',
  DeviceType: 'iPhone',
  DeviceAccessState: bag('Quarantined', 3),
  DeviceAccessStateReason: 'SomethingNewer',
  FirstSyncTime: new Date('2026-11-01T00:00:00Z'),
}
const mailbox = {
  Guid: GUID,
  DistinguishedName: 'CN=Ann,DC=contoso',
  PrimarySmtpAddress: bag('ann@contoso.com'),
  DisplayName: 'Ann',
  ActiveSyncEnabled: true,
  ActiveSyncAllowedDeviceIDs: bag(undefined, ['A', 'b']),
  ActiveSyncBlockedDeviceIDs: [],
}

describe('rows of Exchange', () => {
  it('become devices, enums as their words and unknown words kept', () => {
    expect(parseMobileDevice(row(device))).toMatchObject({
      guid: GUID,
      mailboxDistinguishedName: 'CN=Ann,DC=contoso',
      deviceId: 'ApplAbC',
      deviceModel: '',
      accessState: 'Quarantined',
      accessStateReason: 'SomethingNewer',
      firstSyncTime: new Date('2026-11-01T00:00:00Z'),
    })
  })

  it.each([
    ['a list', ['A', 'b']],
    ['a bag around a list', bag(undefined, ['A', 'b'])],
    ['a bag around bags', bag(undefined, [bag('A'), bag('b')])],
  ])('become mailboxes when a multivalued property is %s', (_how, list) => {
    const parsed = parseCasMailbox(row({ ...mailbox, ActiveSyncAllowedDeviceIDs: list }))

    expect(parsed).toMatchObject({ primarySmtpAddress: 'ann@contoso.com', allowedDeviceIds: ['A', 'b'], blockedDeviceIds: [] })
  })

  it('take a null list for an empty one, and an absent one for a malformed row', () => {
    const { ActiveSyncBlockedDeviceIDs: _, ...without } = mailbox

    expect(parseCasMailbox(row({ ...mailbox, ActiveSyncBlockedDeviceIDs: null })).blockedDeviceIds).toEqual([])
    expect(() => parseCasMailbox(row(without))).toThrow('ActiveSyncBlockedDeviceIDs is absent')
  })

  it.each([
    ['a device', parseMobileDevice, MOBILE_DEVICE_PROPERTIES, device],
    ['a mailbox', parseCasMailbox, CAS_MAILBOX_PROPERTIES, { ...mailbox, DisplayName: '' }],
  ])('are made of no other property than those that are asked for: %s', (_what, parse, properties, good) => {
    const read = new Set<string>()
    const get = (target: Record<string, PsData>, name: string) => {
      read.add(name)
      return target[name]
    }
    parse({ ...row({}), properties: new Proxy<Record<string, PsData>>(good, { get }) })

    expect([...read].toSorted()).toEqual([...properties].toSorted())
  })

  it('are set aside one by one when they are malformed', () => {
    const { rows, rejected } = readRows(
      [row(device), row({ ...device, DeviceId: '' }), row({}), row({ ...device, DistinguishedName: 'CN=x' })],
      parseMobileDevice,
    )

    expect(rows).toHaveLength(1)
    expect(rejected).toEqual([
      { guid: GUID, reason: 'DeviceId is empty' },
      { guid: undefined, reason: 'DistinguishedName is empty' },
      { guid: GUID, reason: 'DistinguishedName names no mailbox' },
    ])
  })

  it('tell which servers answer clients: from 2016 every mailbox server does', () => {
    const server = {
      Fqdn: 'EX1.contoso.com',
      Name: 'EX1',
      ServerRole: 'Mailbox',
      IsClientAccessServer: false,
      IsMailboxServer: true,
    }

    const isClientAccess = (version: string) =>
      parseExchangeServer(row({ ...server, AdminDisplayVersion: version })).isClientAccessServer

    expect(isClientAccess('Version 15.2 (Build 1544.4)')).toBe(true)
    expect(isClientAccess('Version 15.0 (Build 1497.2)')).toBe(false)
  })
})
