import { PermanentError } from '@gatehouse/messages'
import type { InvocationResult, PsValue } from '@gatehouse/powershell'
import { z } from 'zod'
import { formatPsData, toJson } from '../format-ps-data.ts'
import { printable, type Terminal } from '../terminal.ts'
import { createInvokeEngine, type InvokeEngineOptions } from './invoke-engine.ts'

export type InvokeOptions = InvokeEngineOptions & {
  readonly cmdlet: string
  readonly parameters: string
  readonly timeoutMs: number
  readonly json: boolean
}

/** One cmdlet through the same engine that the workers use. Answers 1 when the cmdlet reported an error. */
export async function runExchangeInvoke(
  options: InvokeOptions,
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const parameters = parseParameters(options.parameters)
  const note = (line: string) => context.terminal.note(line)
  await using engine = await createInvokeEngine(options, { env: context.env, note })
  await using pool = await engine.open({ runspaces: 1, signal: context.signal })
  const result = await pool.invoke(
    { name: options.cmdlet, parameters },
    { signal: context.signal, timeoutMs: options.timeoutMs },
  )
  if (options.json) context.terminal.print(JSON.stringify({ ...result, output: result.output.map(toJson) }))
  else print(result, context.terminal)
  return result.errors.length === 0 ? 0 : 1
}

function print(result: InvocationResult, terminal: Terminal): void {
  for (const text of result.debug) terminal.note(`DEBUG: ${text}`)
  for (const text of result.verbose) terminal.note(`VERBOSE: ${text}`)
  for (const text of result.warnings) terminal.note(`WARNING: ${text}`)
  for (const { text } of result.information) terminal.note(text)
  for (const error of result.errors) terminal.note(`ERROR: ${error.message} (${error.fullyQualifiedErrorId})`)
  for (const object of result.output) terminal.print(`${printable(formatPsData(object))}\n`)
  terminal.note(`${result.output.length} objects, ${Math.round(result.durationMs)} ms`)
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
