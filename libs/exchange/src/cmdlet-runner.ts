import { PermanentError } from '@gatehouse/messages'
import type { InvocationResult, InvokeOptions, PsObject, PsValue } from '@gatehouse/powershell'
import { Tracer } from '@gatehouse/tracing'
import { errorOfRecord } from './classify.ts'
import type { CmdletKey, Preflight } from './cmdlets.ts'
import type { Read, SetOptions } from './exchange.ts'
import type { FailoverPool } from './failover-pool.ts'
import { readRows } from './read-rows.ts'

type Parameters = Record<string, PsValue>

export type CmdletRunner = {
  /**
   * A bulk read of rows that `parse` makes out of no more than these `properties`: malformed rows are set aside, an error that
   * ended the cmdlet is thrown.
   */
  readAll<Row>(
    o: { key: CmdletKey; parameters?: Parameters; properties?: ReadonlySet<string>; parse: (row: PsObject) => Row },
    signal: AbortSignal,
  ): Promise<{ about: Read; rows: Row[] }>
  /** One object by its GUID, refused unless exactly that one comes back. */
  readOne<Row extends { guid: string }>(
    o: { key: CmdletKey; guid: string; parameters?: Parameters; parse: (row: PsObject) => Row },
    options: SetOptions,
  ): Promise<Row>
  /** Any error Exchange reports is thrown. */
  write(key: CmdletKey, parameters: Parameters, options: SetOptions): Promise<InvocationResult>
}

export type CmdletTrace = { readonly tracer: Tracer; readonly organizationId: string }

/** Bulk reads of tens of thousands of objects take minutes on a busy server; they get this many times a cmdlet's limit. */
const BULK_TIMEOUT_FACTOR = 10

/** Sends the cmdlets of the table under the names this server knows, and turns what comes back into rows or errors. */
export function createCmdletRunner(o: {
  pool: FailoverPool<Preflight>
  cmdletTimeoutMs: number
  trace?: CmdletTrace | undefined
  now: () => number
}): CmdletRunner {
  const { pool, cmdletTimeoutMs, now } = o
  const { tracer, organizationId } = o.trace ?? { tracer: new Tracer(), organizationId: '' }
  const send = (
    key: CmdletKey,
    parameters: Parameters,
    options: SetOptions & Pick<InvokeOptions, 'timeoutMs' | 'properties' | 'onOutput'>,
  ) => {
    const attributes = () => ({ 'gatehouse.organization.id': organizationId })
    return tracer.trace(pool.info?.names[key] ?? key, { kind: 'client', attributes }, async (span) => {
      const result = await pool.invoke((info) => ({ name: nameOf(info, key), parameters }), options)
      const last = result.errors.at(-1)
      if (last !== undefined) span.end({ error: errorOfRecord(last, key).code })
      return result
    })
  }

  const runner: CmdletRunner = {
    async readAll({ key, parameters, properties, parse }, signal) {
      const began = new Date(now())
      const rows: ReturnType<typeof parse>[] = []
      const rejected: Read['rejected'] = []
      // Each object is let go of as soon as its row is made: a big organisation's objects take hundreds of megabytes.
      const onOutput = (object: PsObject) => {
        const read = readRows([object], parse)
        rows.push(...read.rows)
        rejected.push(...read.rejected)
      }
      const timeoutMs = cmdletTimeoutMs * BULK_TIMEOUT_FACTOR
      const result = await send(key, parameters ?? {}, { signal, timeoutMs, ...(properties && { properties }), onOutput })
      const last = result.errors.at(-1)
      if (result.failed && last !== undefined) throw errorOfRecord(last, key)
      for (const object of result.output) onOutput(object)
      const complete = !result.failed && result.errors.length === 0 && rejected.every(({ guid }) => guid !== undefined)
      return { rows, about: { began, durationMs: result.durationMs, rejected, complete } }
    },
    async readOne({ key, guid, parameters, parse }, options) {
      const result = await runner.write(key, { Identity: guid, ...parameters }, options)
      const { rows, rejected } = readRows(result.output, parse)
      const [row, ...others] = rows
      if (row?.guid === guid && others.length === 0 && rejected.length === 0) return row
      throw new PermanentError('exchange-identity-mismatch', `${key}: Exchange did not answer with the one object asked for`, {
        detail: { scope: 'mailbox', mayHaveRun: false, objects: result.output.length, rejected: rejected[0]?.reason ?? '' },
      })
    },
    async write(key, parameters, options) {
      const result = await send(key, parameters, { ...options, timeoutMs: cmdletTimeoutMs })
      const last = result.errors.at(-1)
      if (last !== undefined) throw errorOfRecord(last, key)
      return result
    },
  }
  return runner
}

function nameOf(preflight: Preflight, key: CmdletKey): string {
  const name = preflight.names[key]
  if (!preflight.missing.includes(name)) return name
  throw new PermanentError('cmdlet-not-permitted', `The account may not run ${name}`, {
    detail: { scope: 'organization', mayHaveRun: false, cmdlets: name },
  })
}
