import { createDefinitions, type NodeDefinitions, SERVICE_NAMES, type ServiceName, saltOf } from '@gatehouse/broker'
import { createPassword } from '../create-password.ts'
import type { NewFiles } from './new-files.ts'

const DEFINITIONS = 'rabbitmq-definitions.json'
const ADMINISTRATOR = 'gh-admin'

/**
 * A password for each user of the broker, and the definitions that RabbitMQ loads, in which they are hashes. The definitions follow
 * the passwords and the topology of this build: written again whenever they would say something else.
 */
export async function keepBrokerSecrets(files: NewFiles): Promise<void> {
  const passwords: Partial<Record<ServiceName, string>> = {}
  for (const service of SERVICE_NAMES) passwords[service] = await files.keepSecret(`broker/gh-${service}`, createPassword)
  const administrator = { name: ADMINISTRATOR, password: await files.keepSecret('broker-admin-password', createPassword) }
  const before = await files.read(`secrets/${DEFINITIONS}`)
  const salts = saltsOf(before)
  const definitions = createDefinitions({
    passwords: passwords as Record<ServiceName, string>,
    administrator,
    ...(salts === undefined ? {} : { createSalt: salts }),
  })
  const text = JSON.stringify(definitions, undefined, 2)
  if (before?.trim() !== text) await files.replaceSecret(DEFINITIONS, text)
}

/** The same salt makes the same hash of the same password, so that RabbitMQ finds nothing new. */
function saltsOf(text: string | undefined): ((user: string) => Buffer) | undefined {
  if (text === undefined) return undefined
  try {
    const { users } = JSON.parse(text) as NodeDefinitions
    const salts = new Map(users.map((user) => [user.name, saltOf(user.password_hash)]))
    const known = [ADMINISTRATOR, ...SERVICE_NAMES.map((service) => `gh-${service}`)].every(
      (name) => salts.get(name)?.length === 4,
    )
    return known ? (name) => salts.get(name) as Buffer : undefined
  } catch {
    return undefined
  }
}
