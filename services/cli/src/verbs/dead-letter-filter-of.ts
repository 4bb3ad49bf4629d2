import type { VerbOptions } from '../program-context.ts'

export type FilterOptions = Pick<
  VerbOptions,
  'service' | 'code' | 'errorClass' | 'type' | 'organizationId' | 'mailboxId' | 'olderThan' | 'newerThan' | 'id' | 'replayId'
>

/** The filter that the options describe, as the API's bodies have it. */
export function deadLetterFilterOf(options: FilterOptions, now: Date = new Date()): Record<string, unknown> {
  const { service, code, errorClass, type, organizationId, mailboxId, olderThan, newerThan, id, replayId } = options
  const ago = (ms: number | undefined): string | undefined =>
    ms === undefined ? undefined : new Date(now.getTime() - ms).toISOString()
  const said = {
    service,
    code,
    errorClass,
    type,
    organizationId,
    mailboxId,
    deadBefore: ago(olderThan),
    deadAfter: ago(newerThan),
    ids: id.length === 0 ? undefined : id,
    replayId,
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
}

/** The same as a query. */
export function deadLetterQueryOf(options: FilterOptions): Record<string, string> {
  return Object.fromEntries(Object.entries(deadLetterFilterOf(options)).map(([name, value]) => [name, String(value)]))
}
