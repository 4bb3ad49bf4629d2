import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applyTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { createPassword } from '../create-password.ts'
import { migrateStore } from './migrate-store.ts'
import type { BrokerPart, Parts } from './start-parts.ts'

export type PrepareOptions = {
  readonly parts: Parts
  readonly env: Record<string, string | undefined>
  readonly secretsDirectory: string
  readonly log: (line: string) => void
}

/**
 * Brings the schema and the topology of the parts that were started to this build's version, and gives each worker a broker
 * user of its own.
 * @returns the environment in which the workers are to run.
 */
export async function prepareParts(options: PrepareOptions, signal: AbortSignal): Promise<Record<string, string | undefined>> {
  const { parts } = options
  const [, brokerEnv] = await Promise.all([
    parts.databaseUrl === undefined ? undefined : migrateStore(parts.databaseUrl),
    parts.broker === undefined ? undefined : prepareBroker(parts.broker, options.secretsDirectory, signal),
  ])
  options.log('Schema and topology are current')
  const database = parts.databaseUrl === undefined ? {} : { GATEHOUSE_DATABASE_URL: parts.databaseUrl }
  return { ...options.env, ...database, ...brokerEnv }
}

async function prepareBroker(
  broker: BrokerPart,
  secretsDirectory: string,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const passwords = join(secretsDirectory, 'broker')
  await mkdir(passwords, { recursive: true, mode: 0o700 })
  const usersPasswords: Record<string, string> = {}
  for (const service of SERVICE_NAMES) usersPasswords[service] = await passwordOf(join(passwords, broker.userPrefix + service))
  await applyTopology({ ...broker, usersPasswords }, signal)
  const url = new URL(broker.amqpUrl)
  url.username = ''
  url.password = ''
  return {
    GATEHOUSE_BROKER_URL: url.href,
    GATEHOUSE_BROKER_USERS_PASSWORD_DIRECTORY: passwords,
    GATEHOUSE_BROKER_USER_PREFIX: broker.userPrefix,
  }
}

/** The password of a worker's broker user: kept from the run before, so that copies still running are not locked out. */
async function passwordOf(path: string): Promise<string> {
  const kept = await readFile(path, 'utf8').catch(() => '')
  if (kept.trim() !== '') return kept.trim()
  const created = createPassword()
  await writeFile(path, `${created}\n`, { mode: 0o600 })
  return created
}
