import { readFileSync } from 'node:fs'
import { PermanentError } from '@gatehouse/messages'
import { createRemotingEngine, type PsValue } from '@gatehouse/powershell'
import { readSecret } from '@gatehouse/worker'
import { z } from 'zod'
import { formatPsData, toJson } from '../format-ps-data.ts'
import { loadSettingsOfUp } from '../load-settings-of-up.ts'
import { printable, type Terminal } from '../terminal.ts'

export type InvokeOptions = {
  cmdlet: string
  parameters: string
  timeoutMs: number
  json: boolean
  config: string | undefined
  organization: string | undefined
  url: string | undefined
  user: string | undefined
  passwordFile: string | undefined
  caFile: string | undefined
  viewEntireForest: boolean
}

type Endpoint = { url: string; user: string; password: string; ca: string | undefined; idleTimeoutMs: number }

/** One cmdlet through the same engine that the workers use. Answers 1 when the cmdlet reported an error. */
export async function runExchangeInvoke(
  options: InvokeOptions,
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const parameters = parseParameters(options.parameters)
  const endpoint = await endpointOf(options, context.env)
  await using engine = createRemotingEngine({
    transport: {
      kind: 'wsman',
      url: endpoint.url,
      user: endpoint.user,
      password: endpoint.password,
      idleTimeoutMs: endpoint.idleTimeoutMs,
      ...(endpoint.ca === undefined ? {} : { ca: endpoint.ca }),
    },
    onOpenRunspace: options.viewEntireForest ? [{ name: 'Set-ADServerSettings', parameters: { ViewEntireForest: true } }] : [],
    shellsMax: 1,
  })
  await using pool = await engine.open({ runspaces: 1, signal: context.signal })
  const result = await pool.invoke(
    { name: options.cmdlet, parameters },
    { signal: context.signal, timeoutMs: options.timeoutMs },
  )
  if (options.json) {
    context.terminal.print(
      JSON.stringify({
        output: result.output.map(toJson),
        errors: result.errors,
        warnings: result.warnings,
        durationMs: Math.round(result.durationMs),
      }),
    )
  } else {
    for (const warning of result.warnings) context.terminal.note(`WARNING: ${warning}`)
    for (const error of result.errors) context.terminal.note(`ERROR: ${error.message} (${error.fullyQualifiedErrorId})`)
    for (const object of result.output) context.terminal.print(`${printable(formatPsData(object))}\n`)
    context.terminal.note(`${result.output.length} objects, ${Math.round(result.durationMs)} ms`)
  }
  return result.errors.length === 0 ? 0 : 1
}

const ParameterValue: z.ZodType<PsValue> = z.lazy(() =>
  z.union([z.null(), z.string(), z.number(), z.boolean(), z.array(ParameterValue), z.record(z.string(), ParameterValue)]),
)

function parseParameters(text: string): Record<string, PsValue> {
  try {
    return z.record(z.string(), ParameterValue).parse(JSON.parse(text))
  } catch (error) {
    throw new PermanentError('usage', `--parameters must be a JSON object such as '{"Identity":"…"}': ${String(error)}`, {
      cause: error,
    })
  }
}

async function endpointOf(options: InvokeOptions, env: Record<string, string | undefined>): Promise<Endpoint> {
  if (options.url !== undefined) {
    if (options.user === undefined || options.passwordFile === undefined)
      throw new PermanentError('usage', '--url needs --user and --password-file')
    const ca = options.caFile === undefined ? undefined : readFileSync(options.caFile, 'utf8')
    return { url: options.url, user: options.user, password: readSecret(options.passwordFile), ca, idleTimeoutMs: 60_000 }
  }
  if (options.config === undefined)
    throw new PermanentError('usage', 'Name the endpoint: --config <gatehouse.yaml>, or --url, --user and --password-file')
  const { settings } = await loadSettingsOfUp({ path: options.config, env })
  const organization = settings.organizations.find(
    (one) => options.organization === undefined || one.name === options.organization,
  )
  if (organization === undefined) {
    const names = settings.organizations.map((one) => one.name).join(', ')
    throw new PermanentError('usage', `No organisation ${options.organization ?? ''} in ${options.config}; it names: ${names}`)
  }
  const { exchange } = organization
  return {
    url: exchange.url,
    user: exchange.user,
    password: readSecret(exchange.passwordFile),
    ca: exchange.caFile === undefined ? undefined : readFileSync(exchange.caFile, 'utf8'),
    idleTimeoutMs: exchange.idleTimeoutSeconds * 1000,
  }
}
