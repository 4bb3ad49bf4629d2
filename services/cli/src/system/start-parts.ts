import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ChosenBroker, chooseBroker } from '@gatehouse/broker/local'
import { startLocalPostgres } from '@gatehouse/store/local'
import pg from 'pg'

export type PartsOptions = {
  /** Where a broker and a database of our own keep their files. */
  readonly directory: string
  readonly env: Record<string, string | undefined>
  readonly need: { readonly broker: boolean; readonly database: boolean }
  /** A new, empty database and virtual host, and broker users, used by nobody else. */
  readonly isolated: boolean
  /** Survives a power cut; a demo does not need it. */
  readonly durable: boolean
  readonly log: (line: string) => void
}

export type BrokerPart = {
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly user: string
  readonly password: string
  readonly vhost: string
  readonly userPrefix: string
  /** Only of a broker that runs here. `kill`: without letting it say goodbye. */
  readonly restart: ((options?: { kill?: boolean }) => Promise<void>) | undefined
}

/** What was asked for; nothing for what was not. */
export type Parts = { readonly databaseUrl: string | undefined; readonly broker: BrokerPart | undefined } & AsyncDisposable

/**
 * A broker and a database, by the order of the design: what the environment names, else a Docker engine, else a program on
 * the PATH, else installed by apt-get, announced first.
 * @throws PermanentError that names the ways out when none of them is open.
 */
export async function startParts(options: PartsOptions, signal: AbortSignal): Promise<Parts> {
  await using stack = new AsyncDisposableStack()
  const suffix = options.isolated ? `-${randomBytes(4).toString('hex')}` : ''
  const starting = [
    options.need.broker ? startBroker(options, suffix, stack, signal) : undefined,
    options.need.database ? startDatabase(options, `gatehouse${suffix.replace('-', '_')}`, stack, signal) : undefined,
  ] as const
  // Whatever one of them opens late must still be closed when the other fails.
  await Promise.allSettled(starting)
  const [broker, databaseUrl] = await Promise.all(starting)
  const owned = stack.move()
  return { broker, databaseUrl, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function startBroker(
  options: PartsOptions,
  suffix: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<BrokerPart> {
  const directory = join(options.directory, 'rabbitmq')
  const chosen: ChosenBroker = await chooseBroker({ env: options.env, directory, log: linesOf(options.log), signal })
  stack.defer(() => chosen.stop())
  const vhost = `gatehouse${suffix}`
  const url = new URL(chosen.amqpUrl)
  url.pathname = `/${encodeURIComponent(vhost)}`
  return {
    amqpUrl: url.href,
    managementUrl: chosen.managementUrl,
    user: chosen.user,
    password: chosen.password,
    vhost,
    // Broker users are global to a node: a demo must not change the password of somebody's workers.
    userPrefix: options.isolated ? `gh${suffix}-` : 'gh-',
    restart: chosen.restart,
  }
}

async function startDatabase(
  options: PartsOptions,
  name: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<string> {
  const given = options.env.GATEHOUSE_DATABASE_URL
  if (given !== undefined && given !== '') return options.isolated ? await createDatabaseOn(given, name, stack) : given
  options.log('PostgreSQL: starting the embedded one')
  const directory = join(options.directory, 'postgres')
  const postgres = await startLocalPostgres({ directory, durable: options.durable, signal })
  stack.defer(() => postgres.stop())
  return await postgres.createDatabase(name)
}

async function createDatabaseOn(url: string, name: string, stack: AsyncDisposableStack): Promise<string> {
  const execute = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(text).finally(() => client.end())
  }
  await execute(`create database ${pg.escapeIdentifier(name)}`)
  stack.defer(() => execute(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`))
  const created = new URL(url)
  created.pathname = `/${name}`
  return created.href
}

function linesOf(log: (line: string) => void): Record<'info' | 'warn', (fields: object, message: string) => void> {
  const line = (_fields: object, message: string): void => log(`RabbitMQ: ${message}`)
  return { info: line, warn: line }
}
