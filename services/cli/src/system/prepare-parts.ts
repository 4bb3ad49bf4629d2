import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applyTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { createDatabase, migrate } from '@gatehouse/store'
import type { Parts } from './start-parts.ts'

export type PrepareOptions = {
  readonly parts: Parts
  readonly env: Record<string, string | undefined>
  readonly secretsDirectory: string
  readonly log: (line: string) => void
}

/**
 * Brings the schema and the topology to this build's version and gives each worker a broker user of its own.
 * @returns the environment in which the workers are to run.
 */
export async function prepareParts(options: PrepareOptions, signal: AbortSignal): Promise<Record<string, string | undefined>> {
  const { parts } = options
  const passwords = join(options.secretsDirectory, 'broker')
  await mkdir(passwords, { recursive: true, mode: 0o700 })
  const usersPasswords: Record<string, string> = {}
  for (const service of SERVICE_NAMES) usersPasswords[service] = await passwordOf(join(passwords, `gh-${service}`))
  const [migrated] = await Promise.all([
    migrateStore(parts.databaseUrl),
    applyTopology(
      {
        managementUrl: parts.managementUrl,
        user: parts.brokerUser,
        password: parts.brokerPassword,
        usersPasswords,
        vhost: parts.vhost,
      },
      signal,
    ),
  ])
  options.log(
    `Database: ${migrated.length === 0 ? 'schema is current' : `migrated (${migrated.join(', ')})`}; broker: topology applied`,
  )
  const broker = new URL(parts.amqpUrl)
  broker.username = ''
  broker.password = ''
  return {
    ...options.env,
    GATEHOUSE_DATABASE_URL: parts.databaseUrl,
    GATEHOUSE_BROKER_URL: broker.href,
    GATEHOUSE_BROKER_USERSPASSWORDDIRECTORY: passwords,
  }
}

/** The password of a worker's broker user: kept from the run before, so that copies still running are not locked out. */
async function passwordOf(path: string): Promise<string> {
  const kept = await readFile(path, 'utf8').catch(() => '')
  if (kept.trim() !== '') return kept.trim()
  const created = randomBytes(24).toString('base64url')
  await writeFile(path, `${created}\n`, { mode: 0o600 })
  return created
}

async function migrateStore(url: string): Promise<string[]> {
  await using store = createDatabase({
    url,
    applicationName: 'gatehouse-migrate',
    connectionsMax: 1,
    onConnectionError: () => {},
  })
  return await migrate(store.db)
}
