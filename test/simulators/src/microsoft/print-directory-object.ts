import type { EntraDevice, EntraGroup, EntraUser } from '../population/population.ts'
import type { Member } from './directory.ts'

/** What Graph returns of a user when no $select is given: fewer properties than there are. */
export const defaultUserProperties = [
  'businessPhones',
  'displayName',
  'givenName',
  'jobTitle',
  'mail',
  'mobilePhone',
  'officeLocation',
  'preferredLanguage',
  'surname',
  'userPrincipalName',
  'id',
]

export function printUser(user: EntraUser): Record<string, unknown> {
  return {
    businessPhones: [],
    displayName: user.displayName,
    givenName: user.givenName,
    jobTitle: null,
    mail: user.mail,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: user.preferredLanguage,
    surname: user.surname,
    userPrincipalName: user.userPrincipalName,
    id: user.id,
    accountEnabled: true,
    assignedPlans: user.assignedPlans,
    onPremisesSyncEnabled: true,
    usageLocation: 'FR',
    userType: user.userPrincipalName.includes('#EXT#') ? 'Guest' : 'Member',
  }
}

export function printGroup(group: EntraGroup): Record<string, unknown> {
  return {
    id: group.id,
    deletedDateTime: null,
    createdDateTime: '2024-03-01T08:00:00Z',
    description: null,
    displayName: group.displayName,
    groupTypes: [],
    mail: null,
    mailEnabled: false,
    mailNickname: group.id.slice(0, 9),
    onPremisesSyncEnabled: null,
    securityEnabled: true,
    securityIdentifier: 'S-1-12-1-1234567890-1234567890-1234567890-1234567890',
    visibility: null,
  }
}

export function printDevice(device: EntraDevice): Record<string, unknown> {
  return {
    id: device.id,
    deletedDateTime: null,
    accountEnabled: device.accountEnabled,
    approximateLastSignInDateTime: '2026-11-01T08:00:00Z',
    deviceId: device.deviceId,
    displayName: device.displayName,
    isCompliant: device.isCompliant,
    isManaged: device.isManaged,
    operatingSystem: device.operatingSystem,
    operatingSystemVersion: device.operatingSystemVersion,
    profileType: 'RegisteredDevice',
    trustType: device.trustType,
  }
}

export function printMember(member: Member): Record<string, unknown> {
  if (member.kind === 'user') return printUser(member.user)
  return member.kind === 'group' ? printGroup(member.group) : printDevice(member.device)
}
