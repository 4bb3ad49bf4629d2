import { readFileSync } from 'node:fs'
import { hostConnectionOf, takesPassword, VIEW_ENTIRE_FOREST, wsmanTransportOf } from '@gatehouse/exchange'
import { PermanentError } from '@gatehouse/messages'
import {
  basicEnvironment,
  createHostEngine,
  createRemotingEngine,
  type PowerShellEngine,
  type WsmanTransportOptions,
} from '@gatehouse/powershell'
import { readSecret } from '@gatehouse/worker'
import { loadSettingsOfUp } from '../load-settings-of-up.ts'
import { noteHttp, noteMessage } from './format-trace.ts'

export type InvokeEngineOptions = {
  readonly engine: string | undefined
  readonly transport: string | undefined
  readonly trace: boolean
  readonly config: string | undefined
  readonly organization: string | undefined
  readonly url: string | undefined
  readonly user: string | undefined
  readonly passwordFile: string | undefined
  readonly caFile: string | undefined
  readonly certificateSha256: string | undefined
  readonly authentication: string | undefined
  readonly proxy: string | undefined
  readonly executable: string | undefined
  readonly configurationFile: string | undefined
  readonly module: readonly string[]
  readonly viewEntireForest: boolean
}

type Context = { readonly env: Record<string, string | undefined>; readonly note: (line: string) => void }
type Local = { readonly executable: string; readonly modules: readonly string[]; readonly environment: Record<string, string> }
type Chosen = { engine: string; endpoint: WsmanTransportOptions | undefined; local: Local }

const IDLE_TIMEOUT_MS = 60_000

/**
 * The engine that the options, or else the settings of an organisation, ask for: one runspace, and a transcript to `note` when
 * it is wanted. Throws PermanentError('usage') that says what is missing.
 */
export async function createInvokeEngine(options: InvokeEngineOptions, context: Context): Promise<PowerShellEngine> {
  const { engine, endpoint, local } = await choose(options, context.env)
  const environment = { ...basicEnvironment(context.env), ...local.environment }
  if (engine === 'host') {
    return createHostEngine({
      executable: local.executable,
      environment,
      ...(local.modules.length > 0 || endpoint === undefined
        ? { modules: local.modules }
        : { connection: hostConnectionOf(endpoint) }),
      runspacesMax: 1,
      ...(options.trace ? { trace: noteMessage(context.note) } : {}),
    })
  }
  const transport =
    options.transport === 'stdio'
      ? ({
          kind: 'stdio',
          executable: local.executable,
          arguments: stdioArguments(options),
          environment,
          runspacesPerProcess: 1,
        } as const)
      : needEndpoint(endpoint)
  return createRemotingEngine({
    transport,
    onOpenRunspace: options.viewEntireForest ? [VIEW_ENTIRE_FOREST] : [],
    shellsMax: 1,
    ...(options.trace ? { trace: noteMessage(context.note), traceHttp: noteHttp(context.note) } : {}),
  })
}

function stdioArguments({ configurationFile }: InvokeEngineOptions): string[] {
  return configurationFile === undefined ? [] : ['-ConfigurationFile', configurationFile]
}

function needEndpoint(endpoint: WsmanTransportOptions | undefined): WsmanTransportOptions {
  if (endpoint !== undefined) return endpoint
  throw new PermanentError('usage', 'Name the endpoint: --config <gatehouse.yaml>, or --url, --user and --password-file')
}

async function choose(options: InvokeEngineOptions, env: Context['env']): Promise<Chosen> {
  if (options.config !== undefined && options.url === undefined) return await chooseBySettings(options, options.config, env)
  const local = {
    executable: options.executable ?? (process.platform === 'win32' ? 'powershell.exe' : 'pwsh'),
    modules: options.module,
    environment: {},
  }
  return { engine: options.engine ?? 'remoting', endpoint: endpointByOptions(options), local }
}

function endpointByOptions(options: InvokeEngineOptions): WsmanTransportOptions | undefined {
  const { url, user, passwordFile, caFile, certificateSha256, proxy } = options
  if (url === undefined) return undefined
  const authentication = options.authentication === 'negotiate' ? 'negotiate' : 'basic'
  if (authentication === 'basic' && (user === undefined || passwordFile === undefined))
    throw new PermanentError('usage', '--url needs --user and --password-file')
  return {
    kind: 'wsman',
    url,
    authentication,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    ...(user === undefined ? {} : { user }),
    ...(passwordFile === undefined ? {} : { password: readSecret(passwordFile) }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
    ...(proxy === undefined ? {} : { proxy: { url: proxy } }),
  }
}

async function chooseBySettings(options: InvokeEngineOptions, path: string, env: Context['env']): Promise<Chosen> {
  const { settings } = await loadSettingsOfUp({ path, env })
  const organization = settings.organizations.find(
    (one) => options.organization === undefined || one.name === options.organization,
  )
  if (organization === undefined) {
    const names = settings.organizations.map((one) => one.name).join(', ')
    throw new PermanentError('usage', `No organisation ${options.organization ?? ''} in ${path}; it names: ${names}`)
  }
  const { exchange } = organization
  const { proxy, powerShell } = exchange
  const endpoint = wsmanTransportOf(exchange.url, {
    ...exchange,
    password: takesPassword(exchange.authentication) ? readSecret(exchange.passwordFile) : '',
    ca: exchange.caFile === undefined ? undefined : readFileSync(exchange.caFile, 'utf8'),
    proxy: proxy && { url: proxy.url, user: proxy.user, password: proxy.passwordFile && readSecret(proxy.passwordFile) },
    idleTimeoutMs: exchange.idleTimeoutSeconds * 1_000,
  })
  const local = { ...powerShell, executable: options.executable ?? powerShell.executable }
  return { engine: options.engine ?? exchange.engine, endpoint, local }
}
