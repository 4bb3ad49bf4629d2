import { createHash, randomBytes } from 'node:crypto'
import { createTopology, type Definitions } from './create-topology.ts'
import { SERVICE_NAMES, type ServiceName } from './service-names.ts'

export type BrokerUser = { name: string; password_hash: string; hashing_algorithm: string; tags: string[] }
export type NodeDefinitions = { users: BrokerUser[] } & Definitions

export type DefinitionsOptions = {
  readonly vhost?: string
  readonly userPrefix?: string
  readonly passwords: Readonly<Record<ServiceName, string>>
  /** May apply the topology of a later build, and nothing sees its messages. */
  readonly administrator: { readonly name: string; readonly password: string }
  /** Four bytes for each user; random unless given. */
  readonly createSalt?: (user: string) => Buffer
}

/**
 * Everything a RabbitMQ node of ours holds from its first start, in RabbitMQ's definitions format: the topology and one
 * least-privilege user per worker, whose passwords are in it as salted SHA-256 only. A node that loads it makes no default user.
 */
export function createDefinitions(options: DefinitionsOptions): NodeDefinitions {
  const { administrator, createSalt = () => randomBytes(4), userPrefix = 'gh-' } = options
  const topology = createTopology({ userPrefix, ...(options.vhost === undefined ? {} : { vhost: options.vhost }) })
  const user = (name: string, password: string, tags: string[]): BrokerUser => ({
    name,
    password_hash: hashPassword(password, createSalt(name)),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags,
  })
  const [{ name: vhost } = { name: 'gatehouse' }] = topology.vhosts
  return {
    ...topology,
    users: [
      user(administrator.name, administrator.password, ['administrator']),
      ...SERVICE_NAMES.map((service) => user(userPrefix + service, options.passwords[service], [])),
    ],
    permissions: [...topology.permissions, { user: administrator.name, vhost, configure: '.*', write: '.*', read: '.*' }],
  }
}

/** The salt of a hash that `hashPassword` made, to make the same one again. */
export function saltOf(passwordHash: string): Buffer {
  return Buffer.from(passwordHash, 'base64').subarray(0, 4)
}

/** RabbitMQ's rabbit_password_hashing_sha256: base64 of the salt and the digest of salt and password. */
function hashPassword(password: string, salt: Buffer): string {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest()
  return Buffer.concat([salt, digest]).toString('base64')
}
