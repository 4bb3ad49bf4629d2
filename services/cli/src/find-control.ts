import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PermanentError } from '@gatehouse/messages'
import { loadSettingsOfUp } from './load-settings-of-up.ts'

export type ControlAddress = { url: string; tokenFile: string }

/** The file in which `gatehouse up` says where its API listens; it is removed when `up` ends. */
export const ADDRESS_FILE = 'control.json'

export type FindControlOptions = {
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly config: string | undefined
  readonly stateDirectory: string
  readonly env: Record<string, string | undefined>
}

/**
 * Where control's API is: as the options say, else as the settings file says, else where `gatehouse up` wrote it.
 * @throws PermanentError `control-unknown` that names the three ways when none of them is open.
 */
export async function findControl(options: FindControlOptions): Promise<ControlAddress> {
  if (options.url !== undefined && options.tokenFile !== undefined) return { url: options.url, tokenFile: options.tokenFile }
  const noted = await readAddress(join(options.stateDirectory, ADDRESS_FILE))
  if (options.config !== undefined) {
    const { settings } = await loadSettingsOfUp({ path: options.config, env: options.env })
    const { control } = settings
    // Port 0 means "any free one": only the running control knows which.
    if (control.port !== 0) return { url: `http://${control.host}:${control.port}`, tokenFile: control.tokenFile }
  }
  if (noted !== undefined) return noted
  throw new PermanentError(
    'control-unknown',
    'Where is control? Start `gatehouse up`, or name its settings with --config, or its address with --url and --token-file',
  )
}

async function readAddress(path: string): Promise<ControlAddress | undefined> {
  try {
    const { url, tokenFile } = JSON.parse(await readFile(path, 'utf8')) as Partial<ControlAddress>
    return url === undefined || tokenFile === undefined ? undefined : { url, tokenFile }
  } catch {
    return undefined
  }
}
