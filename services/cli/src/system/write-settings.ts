import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePorts } from '@gatehouse/broker/local'
import { stringify } from 'yaml'
import type { LocalPowerShell } from './find-powershell-host.ts'
import type { SimulatorsReady } from './start-simulators.ts'

export type DemoSettings = {
  readonly directory: string
  readonly simulators: SimulatorsReady
  readonly runspaces: number
  readonly reportOnly: boolean
  readonly managementUrl: string | undefined
  /** With it the host engine is used. */
  readonly powerShell: LocalPowerShell | undefined
}

/** Writes the `gatehouse.yaml` of a demo and its secrets, each a file of its own. @returns the path of the settings. */
export async function writeDemoSettings(options: DemoSettings): Promise<{ settingsPath: string; secretsDirectory: string }> {
  const { simulators } = options
  const secrets = join(options.directory, 'secrets')
  await mkdir(secrets, { recursive: true, mode: 0o700 })
  const secret = async (name: string, value: string): Promise<string> => {
    const path = join(secrets, name)
    await writeFile(path, `${value}\n`, { mode: 0o600 })
    return path
  }
  const [controlPort] = await findFreePorts(1)
  const settings = {
    // Each connection plans every statement for itself; on one machine a few of them do the work of many.
    database: { connectionsMax: 6 },
    broker: { managementUrl: options.managementUrl },
    worker: { logLevel: 'info', healthPort: 0 },
    graph: {
      tenantId: simulators.tenantId,
      clientId: simulators.clientId,
      clientSecretFile: await secret('graph-client-secret', simulators.clientSecret),
      authority: simulators.authority,
      endpoint: simulators.endpoint,
    },
    policy: { ...simulators.policy, overrideDefaultRule: true },
    organizations: [
      {
        name: 'contoso',
        exchange: {
          url: simulators.url,
          user: simulators.user,
          passwordFile: await secret('exchange-password', simulators.password),
          enableParallelCommandSupport: true,
          runspacesMax: options.runspaces,
          shellsPerAccountMax: Math.min(18, options.runspaces + 4),
          idleTimeoutSeconds: 60,
          ...(options.powerShell === undefined ? {} : hostEngine(options.powerShell, simulators)),
        },
        mail: {
          exchangeWebServiceURL: simulators.ewsUrl,
          user: simulators.user,
          passwordFile: join(secrets, 'exchange-password'),
          messagesPerMinute: 60_000,
          concurrency: 4,
        },
        defaultAccessLevel: 'quarantine',
        reportOnly: options.reportOnly,
      },
    ],
    schedule: { enabled: false },
    // Known in advance, so that it is still the same after control was started again.
    control: { port: controlPort, tokenFile: join(secrets, 'api-token') },
  }
  const settingsPath = join(options.directory, 'gatehouse.yaml')
  await writeFile(settingsPath, stringify(settings), { mode: 0o600 })
  return { settingsPath, secretsDirectory: secrets }
}

function hostEngine({ executable, module }: LocalPowerShell, { url, user, password }: SimulatorsReady) {
  const environment = { GATEHOUSE_SIMULATOR_URL: url, GATEHOUSE_SIMULATOR_USER: user, GATEHOUSE_SIMULATOR_PASSWORD: password }
  return { engine: 'host', powerShell: { executable, modules: [module], environment } }
}
