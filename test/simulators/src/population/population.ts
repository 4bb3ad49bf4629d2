/**
 * One invented organisation, as both sides see it: Exchange (mailboxes, partnerships, rules, servers) and Microsoft
 * (Entra users, groups, devices, Intune managed devices). Plain data made by `createPopulation` (create-population.ts);
 * the same seed and count give the same population.
 *
 * Both simulators of one process share one object. The Exchange simulator copies `initial…DeviceIds` into lists of its own
 * and changes only those; the Microsoft simulator changes only the Microsoft half and `truth` (`changePopulation`).
 * Device ids are compared trimmed and case-insensitively everywhere.
 */
export type Population = {
  seed: number
  organization: PopulationOrganization
  mailboxes: PopulationMailbox[]
  users: EntraUser[]
  groups: EntraGroup[]
  managedDevices: ManagedDeviceRow[]
  entraDevices: EntraDevice[]
  policy: PopulationPolicy
  /** By partnership guid: where that partnership must stand once Gatehouse has finished. */
  truth: Map<string, Truth>
  /** Names of the traps built in, with the partnership or mailbox guids that carry each. */
  traps: Map<string, string[]>
}

export type PopulationOrganization = {
  /** Short name, as in the settings: contoso. */
  name: string
  /** Canonical name root and mail domain: contoso.com. */
  domain: string
  /** DefaultAccessLevel of Get-ActiveSyncOrganizationSettings. */
  defaultAccessLevel: 'Allow' | 'Block' | 'Quarantine'
  deviceAccessRules: DeviceAccessRule[]
  servers: ExchangeServer[]
}

/** A row of Get-ActiveSyncDeviceAccessRule. */
export type DeviceAccessRule = {
  guid: string
  name: string
  characteristic: 'DeviceType' | 'DeviceModel' | 'DeviceOS' | 'UserAgent'
  queryString: string
  accessLevel: 'Allow' | 'Block' | 'Quarantine'
}

/** A row of Get-ExchangeServer. */
export type ExchangeServer = {
  guid: string
  name: string
  fqdn: string
  distinguishedName: string
  adminDisplayVersion: string
  serverRole: string
  edition: string
  site: string
}

export type PopulationMailbox = {
  /** Exchange's object guid, lower case with dashes. */
  guid: string
  /** Of the on-premises account. Equals the Entra user's except in the traps that say so. */
  upn: string
  primarySmtpAddress: string
  /** CN; may hold commas, quotes, emoji. */
  name: string
  displayName: string
  samAccountName: string
  alias: string
  /** RFC 4514 escaped. */
  distinguishedName: string
  /** Identity as the shell prints it: contoso.com/People/<name>. */
  canonicalName: string
  legacyExchangeDn: string
  /** Short name of the mailbox server. */
  serverName: string
  database: string
  activeSyncMailboxPolicy: string
  activeSyncEnabled: boolean
  /** What administrators had put into the lists before Gatehouse came. Entries without a partnership are among them. */
  initialAllowedDeviceIds: string[]
  initialBlockedDeviceIds: string[]
  whenCreatedUtc: string
  whenChangedUtc: string
  /** Entra object id; null when this mailbox has no Entra user. */
  userId: string | null
  partnerships: PopulationPartnership[]
}

/** A row of Get-MobileDevice. Times are ISO 8601 UTC. */
export type PopulationPartnership = {
  guid: string
  deviceId: string
  deviceType: string
  deviceModel: string
  deviceOs: string
  deviceOsLanguage: string
  deviceImei: string | null
  deviceTelephoneNumber: string | null
  deviceMobileOperator: string | null
  userAgent: string
  friendlyName: string | null
  clientType: 'EAS'
  clientVersion: string
  firstSyncTime: string
  whenCreatedUtc: string
  whenChangedUtc: string
  /** <Mailbox canonical name>/ExchangeActiveSyncDevices/<Type>§<DeviceId> */
  identity: string
  /** <Type>§<DeviceId> */
  name: string
  distinguishedName: string
  /** Still in Exchange's temporary DeviceDiscovery state when first read; otherwise lists, rules and default decide. */
  isInDeviceDiscovery: boolean
}

/** Only what our own pages need is typed; rows carry more when they are served. */
export type EntraUser = {
  id: string
  userPrincipalName: string
  mail: string | null
  displayName: string
  givenName: string | null
  surname: string | null
  preferredLanguage: string | null
  licensed: boolean
  assignedPlans: AssignedPlan[]
}

export type AssignedPlan = {
  assignedDateTime: string
  capabilityStatus: 'Enabled' | 'Deleted' | 'Suspended' | 'Warning' | 'LockedOut'
  service: string
  servicePlanId: string
}

export type EntraGroup = {
  id: string
  displayName: string
  /** Direct members: users, groups and (never wanted by a user cast) devices. */
  members: { kind: 'user' | 'group' | 'device'; id: string }[]
}

export type ComplianceState =
  | 'unknown'
  | 'compliant'
  | 'noncompliant'
  | 'conflict'
  | 'error'
  | 'inGracePeriod'
  | 'configManager'

/** A row of Graph deviceManagement/managedDevices. */
export type ManagedDeviceRow = {
  id: string
  userId: string
  userPrincipalName: string
  userDisplayName: string
  emailAddress: string
  deviceName: string
  operatingSystem: string
  osVersion: string
  model: string
  manufacturer: string
  serialNumber: string
  imei: string
  enrolledDateTime: string
  lastSyncDateTime: string
  complianceState: ComplianceState
  complianceGracePeriodExpirationDateTime: string
  managementAgent: string
  managedDeviceOwnerType: 'company' | 'personal'
  deviceRegistrationState: string
  azureADRegistered: boolean
  azureADDeviceId: string
  easActivated: boolean
  /** As Graph has it: case and padding may differ from Exchange's; '' when there is none. */
  easDeviceId: string
  easActivationDateTime: string
}

/** A row of Graph devices. `deviceId` is what managed devices call azureADDeviceId. */
export type EntraDevice = {
  id: string
  deviceId: string
  displayName: string
  operatingSystem: string
  operatingSystemVersion: string
  isCompliant: boolean | null
  isManaged: boolean | null
  accountEnabled: boolean
  trustType: string
}

/** The access policy the organisation wants; group ids are Entra object ids. */
export type PopulationPolicy = {
  enabled: boolean
  includedGroups: string[]
  excludedGroups: string[]
  overrideDefaultRule: boolean
  unknownCompliance: 'compliant' | 'noncompliant'
}

export type Truth = {
  /** What Exchange must do with the device in the end. */
  access: 'allow' | 'block' | 'quarantine'
  /** Which of the mailbox's two lists must hold the id in the end; `none`: neither may. */
  list: 'allow' | 'block' | 'none'
  /** The roll that made it, kebab-case: compliant, not-enrolled, admin-allowed, user-excluded… */
  why: string
  /** What settles it. Only `device` truths move when Intune changes its mind about the device. */
  settledBy: 'device' | 'administrator' | 'user'
  /** The managed device whose state counts for this partnership; null when none does. */
  managedDeviceId: string | null
}
