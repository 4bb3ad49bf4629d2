import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applyTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { loadSettings } from '@gatehouse/worker'
import type { Terminal } from '../terminal.ts'

/** Declares exchanges, queues, bindings, policies and one least-privilege user per worker at the broker that the settings name. */
export async function runTopologyApply(
  options: { config: string; json: boolean },
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const { broker } = loadSettings({ path: options.config, env: context.env })
  const url = new URL(broker.url)
  const vhost = decodeURIComponent(url.pathname.slice(1)) || '/'
  if (broker.managementUrl === undefined)
    throw new PermanentError(
      'settings-invalid',
      'broker.managementUrl is needed for `topology apply`: the address of the RabbitMQ management API, e.g. http://rabbitmq:15672',
    )
  const user = broker.adminUser ?? decodeURIComponent(url.username)
  const password =
    broker.adminPasswordFile === undefined ? decodeURIComponent(url.password) : await secretOf(broker.adminPasswordFile)
  const usersPasswords: Record<string, string> = {}
  if (broker.usersPasswordDirectory !== undefined)
    for (const service of SERVICE_NAMES)
      usersPasswords[service] = await secretOf(join(broker.usersPasswordDirectory, `gh-${service}`))
  await applyTopology({ managementUrl: broker.managementUrl, user, password, usersPasswords, vhost }, context.signal)
  const applied = { vhost, users: Object.keys(usersPasswords).map((service) => `gh-${service}`) }
  if (options.json) context.terminal.print(JSON.stringify(applied))
  else
    context.terminal.print(
      `Topology applied to virtual host ${vhost}; users: ${applied.users.join(', ') || 'none (no usersPasswordDirectory)'}`,
    )
  return 0
}

async function secretOf(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new PermanentError('secret-unreadable', `The secret cannot be read from ${path}`, { cause: error })
  }
}
