import { createDatabase, migrate } from '@gatehouse/store'
import { loadSettings } from '@gatehouse/worker'
import type { Terminal } from '../terminal.ts'

/** Brings the database that the settings name to this build's schema, once. */
export async function runMigrate(
  options: { config: string; json: boolean },
  context: { env: Record<string, string | undefined>; terminal: Terminal },
): Promise<number> {
  const { database } = loadSettings({ path: options.config, env: context.env })
  await using store = createDatabase({
    url: database.url,
    applicationName: 'gatehouse-migrate',
    connectionsMax: 1,
    onConnectionError: () => {},
  })
  const migrated = await migrate(store.db)
  if (options.json) context.terminal.print(JSON.stringify({ migrated }))
  else context.terminal.print(migrated.length === 0 ? 'The schema is current' : `Migrated: ${migrated.join(', ')}`)
  return 0
}
