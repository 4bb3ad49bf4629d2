import { randomBytes } from 'node:crypto'
import { applyTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { inject } from 'vitest'
import type { ProvidedParts } from './provided-parts.ts'

const REQUEST_MS = 30_000

export type TestVhost = {
  readonly name: string
  /** With the administrator's user and password and this virtual host. */
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly user: string
  readonly password: string
  /** Broker users are global to a node: those of this virtual host are `<userPrefix><service>`, and so are their passwords. */
  readonly userPrefix: string
  /** Makes the topology and the users. */
  applyTopology(): Promise<void>
  /** Throws away what is ready in a queue. */
  purge(queue: string): Promise<void>
} & AsyncDisposable

/** A virtual host of one's own, with Gatehouse's topology and users unless told otherwise; disposing deletes all of it. */
export async function createVhost(options: { topology?: boolean } = {}): Promise<TestVhost> {
  const parts = inject('parts')
  const name = `test-${randomBytes(6).toString('hex')}`
  const { managementUrl, brokerUser: user, brokerPassword: password } = parts
  const userPrefix = `${name}-`
  await manage(parts, 'PUT', `/api/vhosts/${name}`, {})
  await manage(parts, 'PUT', `/api/permissions/${name}/${encodeURIComponent(user)}`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  })
  const usersPasswords = Object.fromEntries(SERVICE_NAMES.map((service) => [service, userPrefix + service]))
  const access = { managementUrl, user, password, vhost: name, usersPasswords, userPrefix }
  const apply = () => applyTopology(access, AbortSignal.timeout(REQUEST_MS))
  if (options.topology ?? true) await apply()
  const url = new URL(parts.amqpUrl)
  url.pathname = `/${name}`
  return {
    name,
    amqpUrl: url.href,
    managementUrl,
    user,
    password,
    userPrefix,
    applyTopology: apply,
    purge: (queue) => manage(parts, 'DELETE', `/api/queues/${name}/${queue}/contents`),
    async [Symbol.asyncDispose]() {
      await manage(parts, 'DELETE', `/api/vhosts/${name}`)
      await Promise.all(SERVICE_NAMES.map((service) => manage(parts, 'DELETE', `/api/users/${userPrefix}${service}`)))
    },
  }
}

async function manage(parts: ProvidedParts, method: string, path: string, body?: object): Promise<void> {
  const credentials = Buffer.from(`${parts.brokerUser}:${parts.brokerPassword}`).toString('base64')
  const response = await fetch(parts.managementUrl.replace(/\/$/, '') + path, {
    method,
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json', connection: 'close' },
    signal: AbortSignal.timeout(REQUEST_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok && !(method === 'DELETE' && response.status === 404)) {
    throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`)
  }
}
