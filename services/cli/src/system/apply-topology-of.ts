import { join } from 'node:path'
import { applyTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { readSecret, type Settings, vhostOf } from '@gatehouse/worker'

/**
 * Declares the topology at the broker that the settings name, as the administrator that they name.
 * @returns the virtual host and the broker users whose passwords were set.
 * @throws PermanentError `settings-invalid` when no management API is named, and whatever `applyTopology` throws.
 */
export async function applyTopologyOf(settings: Settings, signal: AbortSignal): Promise<{ vhost: string; users: string[] }> {
  const { broker } = settings
  if (broker.managementUrl === undefined)
    throw new PermanentError(
      'settings-invalid',
      'broker.managementUrl is needed: the address of the RabbitMQ management API, such as http://rabbitmq:15672',
    )
  const url = new URL(broker.url)
  const vhost = vhostOf(settings)
  const usersPasswords: Record<string, string> = {}
  if (broker.usersPasswordDirectory !== undefined)
    for (const service of SERVICE_NAMES)
      usersPasswords[service] = readSecret(join(broker.usersPasswordDirectory, broker.userPrefix + service))
  await applyTopology(
    {
      managementUrl: broker.managementUrl,
      user: broker.adminUser ?? decodeURIComponent(url.username),
      password:
        broker.adminPasswordFile === undefined ? decodeURIComponent(url.password) : readSecret(broker.adminPasswordFile),
      usersPasswords,
      userPrefix: broker.userPrefix,
      vhost,
    },
    signal,
  )
  return { vhost, users: Object.keys(usersPasswords).map((service) => broker.userPrefix + service) }
}
