import type { PopulationOrganization } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

/** A model an Exchange rule blocks, though its enrolled and compliant owners must get in. */
export const modelBlockedByRule = 'Nexus 5'
/** A type an Exchange rule allows, though a targeted person's noncompliant one must not get in. */
export const typeAllowedByRule = 'SAMSUNGSMT860'

export function inventOrganization(name: string, random: SeededRandom): PopulationOrganization {
  const domain = `${name}.com`
  return {
    name,
    domain,
    defaultAccessLevel: 'Quarantine',
    deviceAccessRules: [
      {
        guid: random.guid(),
        name: `${modelBlockedByRule} (DeviceModel)`,
        characteristic: 'DeviceModel',
        queryString: modelBlockedByRule,
        accessLevel: 'Block',
      },
      {
        guid: random.guid(),
        name: `${typeAllowedByRule} (DeviceType)`,
        characteristic: 'DeviceType',
        queryString: typeAllowedByRule,
        accessLevel: 'Allow',
      },
    ],
    servers: ['EX01', 'EX02'].map((server) => ({
      guid: random.guid(),
      name: server,
      fqdn: `${server.toLowerCase()}.${domain}`,
      distinguishedName: `CN=${server},CN=Servers,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN=First Organization,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=${name},DC=com`,
      adminDisplayVersion: 'Version 15.2 (Build 1748.10)',
      serverRole: 'Mailbox',
      edition: 'Standard',
      site: `${domain}/Configuration/Sites/Default-First-Site-Name`,
    })),
  }
}
