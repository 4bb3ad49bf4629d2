import { type DeviceCase, deviceCases } from './device-case.ts'
import { controlCharacterText, hostileMailboxNames } from './hostile-texts.ts'
import { type Groups, inventGroups } from './invent-groups.ts'
import { type Handset, inventCommonIphone, inventHandset, inventSamsung, inventWindows } from './invent-handset.ts'
import { inventMailbox, type Person } from './invent-mailbox.ts'
import { inventEntraDevice, inventManagedDevice, toGraphDeviceId } from './invent-managed-device.ts'
import { inventOrganization } from './invent-organization.ts'
import { inventPartnership, oddityCount } from './invent-partnership.ts'
import { inventUser } from './invent-user.ts'
import { type MailboxKind, mailboxKinds, toUntouchedTruth } from './mailbox-kind.ts'
import { type MailboxPlan, planPopulation } from './plan-population.ts'
import type { EntraUser, ManagedDeviceRow, Population, PopulationMailbox, Truth } from './population.ts'
import { createSeededRandom, type SeededRandom } from './seeded-random.ts'

export type PopulationOptions = {
  devices: number
  seed: number
  /** Short name, lower case: its domain is made of it. Default contoso. */
  organization?: string
}

/** What is being filled while the population is invented, mailbox by mailbox. */
type Draft = {
  random: SeededRandom
  population: Population
  groups: Groups
  /** Places, counted over all devices, whose device calls itself something nasty. */
  oddities: Map<number, number>
  unusualNames: Map<number, string>
  deviceNumber: number
  targetedNumber: number
  /** Handsets Intune knows as somebody's: what a colleague may turn up with. */
  knownHandsets: { handset: Handset; row: ManagedDeviceRow }[]
  /** Devices whose row belongs to a colleague still to be found. */
  foreignHandsets: { handset: Handset; userId: string; deviceCase: DeviceCase }[]
  targetedUsers: EntraUser[]
}

/**
 * Invents an organisation with exactly `devices` partnerships (1.3 per mailbox, 1–4 each). The same options give the same
 * population. From 30 devices on every trap occurs at least once. Throws RangeError for a count that is not a positive integer.
 */
export function createPopulation(options: PopulationOptions): Population {
  if (!Number.isInteger(options.devices) || options.devices < 1) throw new RangeError(`devices: ${options.devices}`)
  const random = createSeededRandom(options.seed)
  const plans = planPopulation(options.devices, random)
  const draft = createDraft(options, random, plans.length)

  plans.forEach((plan, number) => {
    addMailbox(draft, plan, number)
  })
  addForeignRows(draft)
  addBystanders(draft)
  noteMixes(draft.population)
  random.shuffle(draft.population.managedDevices)
  return draft.population
}

function createDraft(options: PopulationOptions, random: SeededRandom, mailboxes: number): Draft {
  const groups = inventGroups(random)
  return {
    random,
    groups,
    population: {
      seed: options.seed,
      organization: inventOrganization(options.organization ?? 'contoso', random),
      mailboxes: [],
      users: [],
      groups: groups.all,
      managedDevices: [],
      entraDevices: [],
      policy: groups.policy,
      truth: new Map(),
      traps: new Map(),
    },
    oddities: scatter(random, options.devices, Math.max(oddityCount, Math.round(options.devices * 0.02))),
    unusualNames: new Map(
      [...scatter(random, mailboxes, hostileMailboxNames.length)].map(([place, turn]) => [
        place,
        hostileMailboxNames[turn] as string,
      ]),
    ),
    deviceNumber: 0,
    targetedNumber: 0,
    knownHandsets: [],
    foreignHandsets: [],
    targetedUsers: [],
  }
}

/** `count` different places out of `places`, each with its turn. */
function scatter(random: SeededRandom, places: number, count: number): Map<number, number> {
  const order = random.shuffle(Array.from({ length: places }, (_, place) => place))
  return new Map(order.slice(0, count).map((place, turn) => [place, turn]))
}

function addMailbox(draft: Draft, plan: MailboxPlan, number: number): void {
  const { random, population } = draft
  const isTargeted = plan.kind === mailboxKinds.targeted
  const turn = isTargeted ? draft.targetedNumber++ : -1
  const unusualName = draft.unusualNames.get(number)
  const isUpnForeign = turn === 1 || (isTargeted && random.chance(0.04)) || plan.kind.entraUsers === 2
  const person = inventMailbox(random, population.organization, { number: number + 1, unusualName, isUpnForeign })
  const { mailbox } = person
  population.mailboxes.push(mailbox)
  note(population, `mailbox-${plan.kind === mailboxKinds.excludedOnly ? 'user-excluded-only' : plan.kind.why}`, mailbox.guid)
  if (unusualName !== undefined) note(population, 'hostile-mailbox-name', mailbox.guid)
  if (isTargeted && isUpnForeign) note(population, 'matched-by-mail', mailbox.guid)
  if (turn === 5 || (isTargeted && random.chance(0.003))) {
    mailbox.activeSyncEnabled = false
    note(population, 'activesync-disabled', mailbox.guid)
  }

  const user = addUsers(draft, person, plan.kind, turn)
  for (const deviceCase of plan.cases) addDevice(draft, { mailbox, user, deviceCase, kind: plan.kind })
  addOldEntries(draft, mailbox, number)
}

/** The Entra side of a mailbox; answers the user its devices are enrolled for, if any. */
function addUsers(draft: Draft, person: Person, kind: MailboxKind, turn: number): EntraUser | undefined {
  const { random, population, groups } = draft
  const { mailbox, givenName, surname } = person
  const shared = {
    mail: mailbox.primarySmtpAddress,
    displayName: mailbox.displayName,
    givenName,
    surname,
    isLicensed: kind.isLicensed,
  }
  let first: EntraUser | undefined
  for (let index = 0; index < kind.entraUsers; index += 1) {
    const isOtherCase = index === 0 && kind.entraUsers === 1 && (turn === 2 || random.chance(0.03))
    const upn = index === 0 ? mailbox.upn : `second.${mailbox.upn}`
    const user = inventUser(random, { ...shared, upn: isOtherCase ? capitalize(upn) : upn })
    population.users.push(user)
    first ??= user
    if (isOtherCase) note(population, 'upn-other-case', mailbox.guid)
    if (kind.isIncluded && groups.include(user.id, rollWayIn(random, turn))) note(population, 'nested-group', mailbox.guid)
    if (kind.isExcluded) groups.exclude(user.id, random.chance(0.3))
  }
  if (kind.entraUsers === 1 && first !== undefined) mailbox.userId = first.id
  if (turn >= 0 && first !== undefined) draft.targetedUsers.push(first)
  return first
}

function rollWayIn(random: SeededRandom, turn: number) {
  if (turn === 0) return 'nested'
  if (turn === 3) return 'deep'
  if (turn === 4) return 'twice'
  const roll = random.next()
  if (roll < 0.7) return 'direct'
  if (roll < 0.8) return 'nested'
  if (roll < 0.88) return 'deep'
  return roll < 0.95 ? 'other' : 'twice'
}

/** Of each the first is the same model, in two mailboxes: one person's is compliant in Intune, the other's is not. */
const twinCases: readonly DeviceCase[] = [deviceCases.noncompliant, deviceCases.adminBlocked]

type DeviceRoll = { mailbox: PopulationMailbox; user: EntraUser | undefined; deviceCase: DeviceCase; kind: MailboxKind }

function addDevice(draft: Draft, roll: DeviceRoll): void {
  const { random, population } = draft
  const { mailbox, deviceCase, kind } = roll
  const isTargeted = kind === mailboxKinds.targeted
  const shared =
    isTargeted && deviceCase.row === 'colleagues' && random.chance(0.5) ? pickColleagues(draft, roll.user) : undefined
  const isTwin = twinCases.includes(deviceCase) && !population.traps.has(`device-${deviceCase.why}`)
  const handset = shared?.handset ?? (isTwin ? inventCommonIphone(random) : rollHandset(random, deviceCase))
  const oddity = draft.oddities.get(draft.deviceNumber++)
  const partnership = inventPartnership(random, mailbox, { handset, deviceCase, oddity, keepsModel: isTwin })
  mailbox.partnerships.push(partnership)
  addAdministratorsEntry(draft, mailbox, handset.deviceId, deviceCase)

  const row =
    shared === undefined && roll.user !== undefined ? addRow(draft, { handset, deviceCase, user: roll.user }) : undefined
  if (row !== undefined && oddity !== undefined && partnership.friendlyName !== controlCharacterText) {
    row.deviceName = partnership.friendlyName ?? row.deviceName
  }
  if (row !== undefined && isTargeted && deviceCase === deviceCases.compliant) draft.knownHandsets.push({ handset, row })
  population.truth.set(partnership.guid, isTargeted ? toTruth(deviceCase, row) : toUntouchedTruth(kind, deviceCase.adminList))
  note(population, isTargeted ? `device-${deviceCase.why}` : `device-of-${kind.why}`, partnership.guid)
  if (oddity !== undefined) note(population, 'hostile-device-text', partnership.guid)
}

function rollHandset(random: SeededRandom, deviceCase: DeviceCase): Handset {
  if (deviceCase.rule !== 'none') return inventSamsung(random)
  return random.chance(0.1) ? inventCommonIphone(random) : inventHandset(random)
}

function pickColleagues(draft: Draft, user: EntraUser | undefined) {
  const known = draft.knownHandsets
  return known.length === 0 ? undefined : known.slice(-50).find((candidate) => candidate.row.userId !== user?.id)
}

function addAdministratorsEntry(draft: Draft, mailbox: PopulationMailbox, deviceId: string, deviceCase: DeviceCase): void {
  if (deviceCase.adminList === 'none') return
  const list = deviceCase.adminList === 'allow' ? mailbox.initialAllowedDeviceIds : mailbox.initialBlockedDeviceIds
  // Administrators type ids by hand.
  const isOtherCase = deviceCase === deviceCases.adminBlocked && draft.random.chance(0.5)
  list.push(toGraphDeviceId(deviceId, isOtherCase ? 'other-case' : 'same'))
}

function addRow(
  draft: Draft,
  options: { handset: Handset; deviceCase: DeviceCase; user: EntraUser },
): ManagedDeviceRow | undefined {
  const { handset, deviceCase, user } = options
  if (deviceCase.row === 'none') return undefined
  if (deviceCase.row === 'colleagues') {
    draft.foreignHandsets.push({ handset, userId: user.id, deviceCase })
    return undefined
  }
  const easDeviceId = deviceCase.row === 'unbound' ? '' : toGraphDeviceId(handset.deviceId, deviceCase.graphId)
  return addManagedDevice(draft, { user, handset, easDeviceId, deviceCase })
}

function addManagedDevice(draft: Draft, options: Parameters<typeof inventManagedDevice>[1]): ManagedDeviceRow {
  const row = inventManagedDevice(draft.random, options)
  draft.population.managedDevices.push(row)
  if (row.azureADRegistered) draft.population.entraDevices.push(inventEntraDevice(draft.random, row))
  return row
}

function toTruth(deviceCase: DeviceCase, row: ManagedDeviceRow | undefined): Truth {
  const { access, list, why, settledBy } = deviceCase
  return { access, list, why, settledBy, managedDeviceId: row?.id ?? null }
}

/** Entries for phones that are long gone: nobody's to remove but the administrator's. */
function addOldEntries(draft: Draft, mailbox: PopulationMailbox, number: number): void {
  const { random, population } = draft
  if (number === 0 || random.chance(0.03)) {
    mailbox.initialAllowedDeviceIds.push(`Appl${random.upperAlphanumeric(12)}`)
    note(population, 'old-allowed-entry', mailbox.guid)
  }
  if (number === 1 || random.chance(0.02)) {
    mailbox.initialBlockedDeviceIds.push(`androidc${random.digits(10)}`)
    note(population, 'old-blocked-entry', mailbox.guid)
  }
}

/** Gives every device of the `colleagues` case to somebody else who is targeted and in good standing. */
function addForeignRows(draft: Draft): void {
  for (const { handset, userId, deviceCase } of draft.foreignHandsets) {
    const position = draft.targetedUsers.findIndex((user) => user.id === userId)
    const step = 1 + draft.random.below(Math.max(1, draft.targetedUsers.length - 1))
    const user = draft.targetedUsers[(position + step) % draft.targetedUsers.length]
    if (user === undefined || user.id === userId) continue
    addManagedDevice(draft, { user, handset, easDeviceId: handset.deviceId, deviceCase })
  }
}

/** What Intune and Entra hold besides: PCs, phones without mail, phones that sync with nobody here, people without a mailbox. */
function addBystanders(draft: Draft): void {
  const { random, population, groups, targetedUsers } = draft
  const share = (part: number) => Math.max(1, Math.round(targetedUsers.length * part))
  const add = (trap: string, count: number, handset: () => Handset, easDeviceId: (handset: Handset) => string) => {
    for (let left = count; left > 0; left -= 1) {
      const invented = handset()
      const user = random.pick(targetedUsers)
      const row = addManagedDevice(draft, {
        user,
        handset: invented,
        easDeviceId: easDeviceId(invented),
        deviceCase: deviceCases.compliant,
      })
      note(population, trap, row.id)
    }
  }
  add(
    'windows-pc-without-eas',
    share(0.25),
    () => inventWindows(random),
    () => '',
  )
  add(
    'phone-without-eas-id',
    share(0.02),
    () => inventHandset(random),
    () => '',
  )
  add(
    'phone-without-partnership',
    share(0.02),
    () => inventHandset(random),
    (handset) => handset.deviceId,
  )

  const { domain } = population.organization
  for (let left = share(0.03); left > 0; left -= 1) {
    const upn = `guest${left}_partner.test#EXT#@${domain}`
    const guest = inventUser(random, {
      upn,
      mail: `guest${left}@partner.test`,
      displayName: `Guest ${left}`,
      givenName: null,
      surname: null,
      isLicensed: false,
    })
    population.users.push(guest)
    groups.include(guest.id, 'direct')
  }
  const device = population.entraDevices[0]
  if (device !== undefined) groups.includeDevice(device.id)
}

function noteMixes(population: Population): void {
  const models = new Map<string, string>()
  for (const mailbox of population.mailboxes) {
    const truths = mailbox.partnerships.map((partnership) => population.truth.get(partnership.guid) as Truth)
    const decided = truths.filter((truth) => truth.settledBy === 'device')
    if (new Set(decided.map((truth) => truth.access)).size > 1) note(population, 'mixed-states', mailbox.guid)
    if (decided.length > 0 && truths.some((truth) => truth.settledBy === 'administrator')) {
      note(population, 'administrators-entry-beside-others', mailbox.guid)
    }
    for (const partnership of mailbox.partnerships) {
      const key = `${partnership.deviceModel}/${partnership.deviceOs}`
      const other = models.get(key)
      if (other !== undefined && other !== mailbox.guid) note(population, 'same-model-as-another', partnership.guid)
      models.set(key, mailbox.guid)
    }
  }
}

function note(population: Population, trap: string, guid: string): void {
  const guids = population.traps.get(trap)
  if (guids === undefined) population.traps.set(trap, [guid])
  else guids.push(guid)
}

function capitalize(address: string): string {
  return address.replace(/(^|[.@])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase())
}
