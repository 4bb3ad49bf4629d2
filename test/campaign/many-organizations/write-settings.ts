import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePorts } from '@gatehouse/broker/local'
import type { ServedExchange, ServedMicrosoft } from '@gatehouse/simulators'

/** Runspaces of enforcement for each Exchange, and what its account may have open over all workers. */
export const RUNSPACES = 12
export const SHELLS_MAX = 15

/** Writes `gatehouse.yaml` for all organisations, with a password file each. */
export async function writeSettings(o: {
  directory: string
  exchanges: readonly ServedExchange[]
  microsoft: ServedMicrosoft
  managementUrl: string | undefined
}): Promise<{ settingsPath: string; secretsDirectory: string; tokenFile: string }> {
  const secrets = join(o.directory, 'secrets')
  await mkdir(secrets, { recursive: true, mode: 0o700 })
  const secret = async (name: string, value: string): Promise<string> => {
    const path = join(secrets, name)
    await writeFile(path, `${value}\n`, { mode: 0o600 })
    return path
  }
  const tokenFile = await secret('api-token', randomBytes(24).toString('hex'))
  const { policy, clientSecret, ...graph } = o.microsoft
  const [port] = await findFreePorts(1)
  const organizations = await Promise.all(
    o.exchanges.map(async ({ name, url, ewsUrl, user, password }) => {
      const passwordFile = await secret(`exchange-${name}`, password)
      return {
        name,
        exchange: {
          url,
          user,
          passwordFile,
          enableParallelCommandSupport: true,
          runspacesMax: RUNSPACES,
          shellsPerAccountMax: SHELLS_MAX,
          idleTimeoutSeconds: 60,
        },
        mail: { exchangeWebServiceURL: ewsUrl, user, passwordFile, messagesPerMinute: 60_000 },
        reportOnly: false,
      }
    }),
  )
  const settings = {
    database: { connectionsMax: 6 },
    broker: { managementUrl: o.managementUrl },
    worker: { healthPort: 0 },
    graph: { ...graph, clientSecretFile: await secret('graph-client-secret', clientSecret) },
    policy: { ...policy, overrideDefaultRule: true },
    organizations,
    schedule: { enabled: false },
    control: { port, tokenFile },
  }
  const settingsPath = join(o.directory, 'gatehouse.yaml')
  // What is JSON is YAML.
  await writeFile(settingsPath, JSON.stringify(settings, undefined, 1), { mode: 0o600 })
  return { settingsPath, secretsDirectory: secrets, tokenFile }
}
