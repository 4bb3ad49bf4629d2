import { databaseUrlOf, loadSettings } from '@gatehouse/worker'
import { migrateStore } from '../system/migrate-store.ts'
import type { Terminal } from '../terminal.ts'

/** Brings the database that the settings name to this build's schema, once. */
export async function runMigrate(
  options: { config: string; json: boolean },
  context: { env: Record<string, string | undefined>; terminal: Terminal },
): Promise<number> {
  const { migrated, ahead } = await migrateStore(databaseUrlOf(loadSettings({ path: options.config, env: context.env })))
  if (options.json) context.terminal.print(JSON.stringify({ migrated, ahead }))
  else context.terminal.print(describe(migrated, ahead))
  return 0
}

function describe(migrated: readonly string[], ahead: readonly string[]): string {
  if (migrated.length > 0) return `Migrated: ${migrated.join(', ')}`
  if (ahead.length === 0) return 'The schema is current'
  return `Nothing to do: a newer build has migrated this database (${ahead.join(', ')}), and this build may still work with it`
}
