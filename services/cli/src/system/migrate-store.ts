import { createDatabase, migrate } from '@gatehouse/store'

/** Brings one database to this build's schema. @returns the migrations that were carried out. */
export async function migrateStore(url: string): Promise<string[]> {
  await using store = createDatabase({
    url,
    applicationName: 'gatehouse-migrate',
    connectionsMax: 1,
    onConnectionError: () => {},
  })
  return await migrate(store.db)
}
