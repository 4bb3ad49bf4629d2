import { databaseUrlOf, loadSettings } from '@gatehouse/worker'
import { migrateStore } from '../system/migrate-store.ts'
import type { Terminal } from '../terminal.ts'

/** Brings the database that the settings name to this build's schema, once. */
export async function runMigrate(
  options: { config: string; json: boolean },
  context: { env: Record<string, string | undefined>; terminal: Terminal },
): Promise<number> {
  const migrated = await migrateStore(databaseUrlOf(loadSettings({ path: options.config, env: context.env })))
  if (options.json) context.terminal.print(JSON.stringify({ migrated }))
  else context.terminal.print(migrated.length === 0 ? 'The schema is current' : `Migrated: ${migrated.join(', ')}`)
  return 0
}
