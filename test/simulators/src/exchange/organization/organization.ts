import { randomUUID } from 'node:crypto'
import type { ExchangeServer, Population, PopulationMailbox, PopulationPartnership } from '../../population/population.ts'
import { type AccessLevel, type AccessSituation, type AccessVerdict, accessVerdictOf } from './access-state.ts'
import { deviceIdKey } from './device-id.ts'
import { IdentityIndex } from './identity-index.ts'

export type Mailbox = {
  source: PopulationMailbox
  allowed: string[]
  blocked: string[]
  activeSyncEnabled: boolean
  activeSyncMailboxPolicy: string
  devices: Device[]
  whenChanged: Date
  printed: { revision: string; xml: string } | undefined
  /** Grows whenever something changes that its devices' or its own printed form depends on. */
  revision: number
}

export type Device = {
  source: PopulationPartnership
  mailbox: Mailbox
  isInDiscovery: boolean
  wipeRequested: Date | undefined
  printed: { revision: string; xml: string } | undefined
}

export type DeviceRule = {
  guid: string
  name: string
  characteristic: string
  queryString: string
  accessLevel: AccessLevel
}

export type DeviceClass = { guid: string; deviceType: string; deviceModel: string; lastUpdateTime: string }

export type OrganizationSettings = {
  guid: string
  defaultAccessLevel: AccessLevel
  adminMailRecipients: string[]
  userMailInsert: string
  otaNotificationMailInsert: string
  allowAccessForUnSupportedPlatform: boolean
}

/** The directory of one Exchange organisation, in memory: made from a population, changed by cmdlets and by tests. */
export class Organization {
  readonly domain: string
  readonly domainController: string
  readonly servers: ExchangeServer[]
  readonly mailboxes: Mailbox[] = []
  readonly devices: Device[] = []
  readonly mailboxIndex = new IdentityIndex<Mailbox>()
  readonly deviceIndex = new IdentityIndex<Device>()
  readonly settings: OrganizationSettings
  rules: DeviceRule[]
  classes: DeviceClass[]
  /** Grows when rules or settings change: every device's state may have. */
  revision = 0

  constructor(population: Population) {
    const { organization } = population
    this.domain = organization.domain
    this.domainController = `dc01.${organization.domain}`
    this.servers = organization.servers
    this.rules = organization.deviceAccessRules.map((rule) => ({ ...rule }))
    this.settings = {
      guid: guidFor(`settings ${organization.domain}`),
      defaultAccessLevel: organization.defaultAccessLevel,
      adminMailRecipients: [],
      userMailInsert: '',
      otaNotificationMailInsert: '',
      allowAccessForUnSupportedPlatform: false,
    }
    for (const source of population.mailboxes) this.addMailbox(source)
    this.classes = classesOf(population)
  }

  addMailbox(source: PopulationMailbox): Mailbox {
    const mailbox: Mailbox = {
      source,
      allowed: [...source.initialAllowedDeviceIds],
      blocked: [...source.initialBlockedDeviceIds],
      activeSyncEnabled: source.activeSyncEnabled,
      activeSyncMailboxPolicy: source.activeSyncMailboxPolicy,
      devices: [],
      whenChanged: new Date(source.whenChangedUtc),
      printed: undefined,
      revision: 0,
    }
    this.mailboxes.push(mailbox)
    this.mailboxIndex.add(mailbox, mailboxNames(source, this.domain))
    for (const partnership of source.partnerships) this.addDevice(mailbox, partnership)
    return mailbox
  }

  addDevice(mailbox: Mailbox, source: PopulationPartnership): Device {
    const device: Device = {
      source,
      mailbox,
      isInDiscovery: source.isInDeviceDiscovery,
      wipeRequested: undefined,
      printed: undefined,
    }
    mailbox.devices.push(device)
    mailbox.revision += 1
    this.devices.push(device)
    this.deviceIndex.add(device, deviceNames(device))
    return device
  }

  removeDevice(device: Device): void {
    this.devices.splice(this.devices.indexOf(device), 1)
    device.mailbox.devices.splice(device.mailbox.devices.indexOf(device), 1)
    device.mailbox.revision += 1
    this.deviceIndex.remove(device)
  }

  setLists(mailbox: Mailbox, lists: { allowed?: string[]; blocked?: string[] }): void {
    mailbox.allowed = lists.allowed ?? mailbox.allowed
    mailbox.blocked = lists.blocked ?? mailbox.blocked
    this.noteChange(mailbox)
  }

  noteChange(mailbox: Mailbox): void {
    mailbox.whenChanged = new Date()
    mailbox.revision += 1
  }

  verdictOf(device: Device): AccessVerdict {
    return accessVerdictOf(this.#situationOf(device))
  }

  /** What remains once the temporary DeviceDiscovery state has passed and ActiveSync is on. */
  settledVerdictOf(device: Device): AccessVerdict {
    return accessVerdictOf({ ...this.#situationOf(device), activeSyncEnabled: true, isInDiscovery: false })
  }

  #situationOf(device: Device): AccessSituation {
    const { mailbox } = device
    return {
      device: device.source,
      activeSyncEnabled: mailbox.activeSyncEnabled,
      allowed: mailbox.allowed,
      blocked: mailbox.blocked,
      rules: this.rules,
      defaultAccessLevel: this.settings.defaultAccessLevel,
      isInDiscovery: device.isInDiscovery,
    }
  }
}

/** A guid that is the same in every run. */
export function guidFor(text: string): string {
  let hash = 0x811c9dc5
  let digits = ''
  for (let round = 0; digits.length < 32; round += 1) {
    for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    hash = Math.imul(hash ^ round, 0x01000193) >>> 0
    digits += hash.toString(16).padStart(8, '0')
  }
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-a$4-$5')
}

export function newGuid(): string {
  return randomUUID()
}

/** Entries of `list` after Add and Remove, the order kept; `duplicates` were there already. */
export function applyDelta(list: readonly string[], add: readonly string[], remove: readonly string[]) {
  const gone = new Set(remove.map(deviceIdKey))
  const result = list.filter((entry) => !gone.has(deviceIdKey(entry)))
  const present = new Set(result.map(deviceIdKey))
  const duplicates: string[] = []
  for (const entry of add) {
    const key = deviceIdKey(entry)
    if (present.has(key)) duplicates.push(entry)
    else result.push(entry.trim())
    present.add(key)
  }
  return { list: result, duplicates }
}

function mailboxNames(source: PopulationMailbox, domain: string): string[] {
  const netbios = domain.split('.')[0] ?? domain
  return [
    source.guid,
    source.primarySmtpAddress,
    source.upn,
    source.distinguishedName,
    source.canonicalName,
    source.alias,
    source.samAccountName,
    `${netbios}\\${source.samAccountName}`,
    source.name,
    source.displayName,
    source.legacyExchangeDn,
  ]
}

function deviceNames(device: Device): string[] {
  const { source, mailbox } = device
  return [
    source.guid,
    source.distinguishedName,
    source.identity,
    source.name,
    `${mailbox.source.name}\\ExchangeActiveSyncDevices\\${source.name}`,
    `${mailbox.source.alias}\\ExchangeActiveSyncDevices\\${source.name}`,
  ]
}

function classesOf(population: Population): DeviceClass[] {
  const classes = new Map<string, DeviceClass>()
  for (const mailbox of population.mailboxes) {
    for (const { deviceType, deviceModel, whenChangedUtc } of mailbox.partnerships) {
      const key = `${deviceType}§${deviceModel}`
      const known = classes.get(key)
      if (known === undefined) {
        classes.set(key, { guid: guidFor(`class ${key}`), deviceType, deviceModel, lastUpdateTime: whenChangedUtc })
      } else if (known.lastUpdateTime < whenChangedUtc) known.lastUpdateTime = whenChangedUtc
    }
  }
  return [...classes.values()]
}
