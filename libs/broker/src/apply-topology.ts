import { PermanentError } from '@gatehouse/messages'
import { callManagement, type ManagementAccess } from './call-management.ts'
import { createTopology, type Definitions } from './create-topology.ts'
import { SERVICE_NAMES, type ServiceName } from './service-names.ts'

export type ApplyTopologyOptions = ManagementAccess & {
  readonly vhost: string
  /** The password of each worker's user, by service name; users that are not listed are left as they are. */
  readonly usersPasswords: { readonly [S in ServiceName]?: string }
  /** Broker users are global to a node: whoever shares a node between virtual hosts keeps them apart by this. */
  readonly userPrefix?: string
}

/**
 * Brings a virtual host to the topology of this build: creates it, the users and everything in it. Safe to repeat; never
 * deletes anything.
 * @throws PermanentError `topology-differs` naming each queue or exchange that exists with other properties, which RabbitMQ
 * cannot change; whatever `callManagement` throws.
 */
export async function applyTopology(options: ApplyTopologyOptions, signal: AbortSignal): Promise<void> {
  const userPrefix = options.userPrefix ?? 'gh-'
  const definitions = createTopology({ vhost: options.vhost, userPrefix })
  const vhostPath = encodeURIComponent(options.vhost)
  // Asked for by itself so that a wrong address or password is reported as that.
  await callManagement(options, { method: 'GET', path: '/api/whoami' }, signal)
  await callManagement(options, { method: 'PUT', path: `/api/vhosts/${vhostPath}`, body: {} }, signal)
  await applyUsers(options, userPrefix, signal)
  const users = await readUserNames(options, signal)
  await callManagement(options, { method: 'POST', path: '/api/definitions', body: ofKnownUsers(definitions, users) }, signal)
  await verifyTopology(options, definitions, signal)
}

async function applyUsers(options: ApplyTopologyOptions, userPrefix: string, signal: AbortSignal): Promise<void> {
  for (const service of SERVICE_NAMES) {
    const password = options.usersPasswords[service]
    if (password === undefined) continue
    const path = `/api/users/${encodeURIComponent(userPrefix + service)}`
    await callManagement(options, { method: 'PUT', path, body: { password, tags: '' } }, signal)
  }
}

async function readUserNames(options: ApplyTopologyOptions, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const users = (await callManagement(options, { method: 'GET', path: '/api/users' }, signal)) as { name: string }[]
  return new Set(users.map((user) => user.name))
}

/** RabbitMQ refuses a whole import over one right of a user it does not have. */
function ofKnownUsers(definitions: Definitions, users: ReadonlySet<string>): Definitions {
  return {
    ...definitions,
    permissions: definitions.permissions.filter((right) => users.has(right.user)),
    topic_permissions: definitions.topic_permissions.filter((right) => users.has(right.user)),
  }
}

type Found = { name: string; durable: boolean; arguments: Record<string, unknown>; type?: string }

/** An import passes over what exists with other properties without a word, so it is compared afterwards. */
async function verifyTopology(options: ApplyTopologyOptions, definitions: Definitions, signal: AbortSignal): Promise<void> {
  const vhostPath = encodeURIComponent(options.vhost)
  const columns = 'columns=name,type,durable,arguments'
  const [queues, exchanges] = (await Promise.all([
    callManagement(options, { method: 'GET', path: `/api/queues/${vhostPath}?${columns}` }, signal),
    callManagement(options, { method: 'GET', path: `/api/exchanges/${vhostPath}?${columns}` }, signal),
  ])) as [Found[], Found[]]
  const problems = [
    ...definitions.queues.flatMap((wanted) => differencesOf('queue', { ...wanted, type: 'quorum' }, queues)),
    ...definitions.exchanges.flatMap((wanted) => differencesOf('exchange', wanted, exchanges)),
  ]
  if (problems.length > 0)
    throw new PermanentError(
      'topology-differs',
      `Virtual host ${options.vhost} has things of another shape; empty and delete them, then apply again: ${problems.join('; ')}`,
    )
}

function differencesOf(kind: string, wanted: Found, all: readonly Found[]): string[] {
  const found = all.find((one) => one.name === wanted.name)
  if (found === undefined) return [`${kind} ${wanted.name} is missing`]
  const keys = new Set([...Object.keys(wanted.arguments), ...Object.keys(found.arguments)])
  const differing = [...keys].filter((key) => wanted.arguments[key] !== found.arguments[key])
  if (found.type !== undefined && found.type !== wanted.type) differing.push(`type ${found.type} instead of ${wanted.type}`)
  if (!found.durable) differing.push('not durable')
  return differing.length === 0 ? [] : [`${kind} ${wanted.name} differs in ${differing.join(', ')}`]
}
