import { familyNames, givenNames, toAddressPart } from './person-names.ts'
import type { PopulationMailbox, PopulationOrganization } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

export type Person = { givenName: string; surname: string; mailbox: PopulationMailbox }

/** `unusualName` replaces the mailbox's name (CN) and display name. `isUpnForeign`: the account's UPN is not the address. */
export function inventMailbox(
  random: SeededRandom,
  organization: PopulationOrganization,
  options: { number: number; unusualName: string | undefined; isUpnForeign: boolean },
): Person {
  const givenName = random.pick(givenNames)
  const surname = random.pick(familyNames)
  // The number keeps addresses and names apart however many people share a name.
  const address = `${toAddressPart(givenName)}.${toAddressPart(surname)}${options.number}@${organization.domain}`
  const samAccountName = `${toAddressPart(surname).slice(0, 8)}${options.number}`
  const displayName = options.unusualName ?? (random.chance(0.1) ? `${surname}, ${givenName}` : `${givenName} ${surname}`)
  const name = options.unusualName ?? `${displayName} ${options.number}`
  const created = toTime(random, 2016, 8)
  const mailbox: PopulationMailbox = {
    guid: random.guid(),
    upn: options.isUpnForeign ? `${samAccountName}@corp.${organization.domain}` : address,
    primarySmtpAddress: address,
    name,
    displayName,
    samAccountName,
    alias: samAccountName,
    distinguishedName: `CN=${escapeRdn(name)},OU=People,DC=${organization.domain.split('.').join(',DC=')}`,
    canonicalName: `${organization.domain}/People/${name.replace(/[\\/]/g, '\\$&')}`,
    legacyExchangeDn: `/o=First Organization/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=${random.hex(32)}-${samAccountName}`,
    serverName: random.pick(organization.servers).name,
    database: `DB${1 + random.below(4)}`,
    activeSyncMailboxPolicy: 'Default',
    activeSyncEnabled: true,
    initialAllowedDeviceIds: [],
    initialBlockedDeviceIds: [],
    whenCreatedUtc: created,
    whenChangedUtc: toTime(random, 2025, 1),
    userId: null,
    partnerships: [],
  }
  return { givenName, surname, mailbox }
}

/** RFC 4514 §2.4. */
export function escapeRdn(value: string): string {
  return value
    .replace(/[\\",+;<>=]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')
    .replace(/\p{Cc}/gu, (control) => `\\${control.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`)
}

/** A moment within `years` years from the start of `year`, whole seconds. */
export function toTime(random: SeededRandom, year: number, years: number): string {
  const seconds = random.below(years * 365 * 86_400)
  return new Date(Date.UTC(year, 0, 1) + seconds * 1000).toISOString().replace('.000Z', 'Z')
}
