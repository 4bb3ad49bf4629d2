import { randomBytes } from 'node:crypto'
import { createDatabase } from '@gatehouse/store'
import { inject } from 'vitest'

export type DatabaseRole = {
  readonly name: string
  /** The URL of a database with this role and its first password, or another one. */
  urlOf(databaseUrl: string, password?: string): string
  changePassword(password: string): Promise<void>
  /** Ends the role's sessions, as a restart of the database would. */
  endSessions(): Promise<void>
} & AsyncDisposable

/** A role that may log in and has no rights but those it is granted by `grant`, statements in which `$role` is its name. */
export async function createDatabaseRole(database: { url: string }, grants: readonly string[] = []): Promise<DatabaseRole> {
  const name = `role_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await execute(inject('parts').databaseUrl, `create role ${name} login password '${password}'`)
  for (const grant of grants) await execute(database.url, grant.replaceAll('$role', name))
  const endSessions = () =>
    execute(database.url, `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${name}'`)
  return {
    name,
    urlOf: (databaseUrl, another = password) => {
      const url = new URL(databaseUrl)
      url.username = name
      url.password = another
      return url.href
    },
    changePassword: (changed) => execute(database.url, `alter role ${name} password '${changed}'`),
    endSessions,
    [Symbol.asyncDispose]: async () => {
      await endSessions()
      await execute(database.url, `drop owned by ${name}`)
      await execute(inject('parts').databaseUrl, `drop role ${name}`)
    },
  }
}

async function execute(url: string, text: string): Promise<void> {
  await using store = createDatabase({ url, applicationName: 'gatehouse-test', connectionsMax: 1, onConnectionError: () => {} })
  await store.pool.query(text)
}
