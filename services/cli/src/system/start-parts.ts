import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { chooseBroker } from '@gatehouse/broker/local'
import { startLocalPostgres } from '@gatehouse/store/local'
import pg from 'pg'

export type PartsOptions = {
  /** Where a broker and a database of our own keep their files. */
  readonly directory: string
  readonly env: Record<string, string | undefined>
  /** A new, empty database and virtual host, used by nobody else. */
  readonly isolated: boolean
  /** Survives a power cut; a demo does not need it. */
  readonly durable: boolean
  readonly log: (line: string) => void
}

export type Parts = {
  readonly databaseUrl: string
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly brokerUser: string
  readonly brokerPassword: string
  readonly vhost: string
  /** Only of a broker that runs here. */
  readonly restartBroker: (() => Promise<void>) | undefined
} & AsyncDisposable

/**
 * A broker and a database, by the order of the design: what the environment names, else a Docker engine, else a program on
 * the PATH, else installed by apt-get, announced first.
 * @throws PermanentError that names the ways out when none of them is open.
 */
export async function startParts(options: PartsOptions, signal: AbortSignal): Promise<Parts> {
  const suffix = options.isolated ? `-${randomBytes(4).toString('hex')}` : ''
  await using stack = new AsyncDisposableStack()
  const [broker, databaseUrl] = await Promise.all([
    chooseBroker({ env: options.env, directory: join(options.directory, 'rabbitmq'), log: options.log, signal }).then((one) => {
      stack.defer(() => one.stop())
      return one
    }),
    startDatabase(options, `gatehouse${suffix.replace('-', '_')}`, stack, signal),
  ])
  const vhost = `gatehouse${suffix}`
  const owned = stack.move()
  return {
    databaseUrl,
    amqpUrl: withVhost(broker.amqpUrl, vhost),
    managementUrl: broker.managementUrl,
    brokerUser: broker.user,
    brokerPassword: broker.password,
    vhost,
    restartBroker: broker.restart === undefined ? undefined : () => broker.restart?.() ?? Promise.resolve(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function startDatabase(
  options: PartsOptions,
  name: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<string> {
  const given = options.env.GATEHOUSE_DATABASE_URL
  if (given !== undefined) return options.isolated ? await createDatabaseOn(given, name) : given
  options.log('PostgreSQL: starting the embedded one')
  const postgres = await startLocalPostgres({
    directory: join(options.directory, 'postgres'),
    durable: options.durable,
    signal,
  })
  stack.defer(() => postgres.stop())
  return await postgres.createDatabase(name)
}

async function createDatabaseOn(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
  const created = new URL(url)
  created.pathname = `/${name}`
  return created.href
}

function withVhost(amqpUrl: string, vhost: string): string {
  const url = new URL(amqpUrl)
  url.pathname = `/${encodeURIComponent(vhost)}`
  return url.href
}
