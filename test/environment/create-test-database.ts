import { randomBytes } from 'node:crypto'
import { createDatabase, migrate, type Store } from '@gatehouse/store'
import { inject } from 'vitest'

export type TestDatabase = { readonly name: string; readonly url: string; open(): Store } & AsyncDisposable

/** A database of one's own, with Gatehouse's tables unless told otherwise; disposing ends its sessions and drops it. */
export async function createTestDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const { databaseUrl } = inject('parts')
  const name = `test_${randomBytes(6).toString('hex')}`
  await execute(databaseUrl, `create database ${name}`)
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  if (options.migrated ?? true) {
    await using store = open(url.href)
    await migrate(store.db)
  }
  return {
    name,
    url: url.href,
    open: () => open(url.href),
    [Symbol.asyncDispose]: () => execute(databaseUrl, `drop database if exists ${name} with (force)`),
  }
}

async function execute(url: string, text: string): Promise<void> {
  await using store = open(url)
  await store.pool.query(text)
}

function open(url: string): Store {
  return createDatabase({ url, applicationName: 'gatehouse-test', connectionsMax: 1, onConnectionError: () => {} })
}
