import { migrate, type Store } from '@gatehouse/store'
import { ALL_MIGRATIONS, type OwnMigration } from '../../libs/store/src/all-migrations.ts'

/** Migrates a database as a newer build would, whose further migrations are these. */
export async function migrateFurther(store: Store, further: Readonly<Record<string, OwnMigration>>): Promise<void> {
  await migrate(store.db, { ...ALL_MIGRATIONS, ...further })
}

/** A migration that says nothing but what it requires. */
export function migrationThat(requires?: string): OwnMigration {
  return { up: () => Promise.resolve(), ...(requires !== undefined && { requires }) }
}
