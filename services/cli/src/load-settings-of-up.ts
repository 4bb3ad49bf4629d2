import { readFile } from 'node:fs/promises'
import { loadSettings, type Settings } from '@gatehouse/worker'
import { parse } from 'yaml'
import { z } from 'zod'

type Source = { readonly path: string; readonly env: Record<string, string | undefined> }
export type SettingsOfUp = { readonly settings: Settings; readonly need: { broker: boolean; database: boolean } }

/**
 * The settings as `gatehouse up` and whoever talks to it read them: a broker or a database that neither the file nor the
 * environment names is one that `up` starts, so its absence is no problem; `need` says which, and a placeholder stands for it.
 * @throws PermanentError `settings-invalid` with every problem.
 */
export async function loadSettingsOfUp({ path, env }: Source): Promise<SettingsOfUp> {
  const { database, broker } = await readNamedParts(path)
  const need = {
    broker: broker?.url === undefined && env.GATEHOUSE_BROKER_URL === undefined,
    database:
      database?.url === undefined &&
      database?.urlFile === undefined &&
      env.GATEHOUSE_DATABASE_URL === undefined &&
      env.GATEHOUSE_DATABASE_URL_FILE === undefined,
  }
  const settings = loadSettings({
    path,
    env: {
      ...(need.database ? { GATEHOUSE_DATABASE_URL: 'postgres://127.0.0.1/gatehouse' } : {}),
      ...(need.broker ? { GATEHOUSE_BROKER_URL: 'amqp://127.0.0.1/gatehouse' } : {}),
      ...env,
    },
  })
  return { settings, need }
}

async function readNamedParts(path: string): Promise<z.infer<typeof FileParts>> {
  try {
    return FileParts.parse(parse(await readFile(path, 'utf8')))
  } catch {
    // Whatever is wrong with the file, `loadSettings` says it better.
    return {}
  }
}

const FileParts = z.object({
  database: z.object({ url: z.unknown(), urlFile: z.unknown() }).partial().optional(),
  broker: z.object({ url: z.unknown() }).partial().optional(),
})
