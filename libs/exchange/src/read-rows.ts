import type { PsObject } from '@gatehouse/powershell'
import { isGuid } from './guid.ts'
import { readText } from './ps-row.ts'

/** `guid` is undefined when not even that could be read. The reason never repeats what the row holds. */
export type RejectedRow = { guid: string | undefined; reason: string }

/** A row of Exchange that is not what its cmdlet promises; only `readRows` sees it. */
export class RowRejected extends Error {
  override readonly name = 'RowRejected'
}

/** Parses every row on its own: a malformed one is set aside with its reason and costs none of the others. */
export function readRows<Row>(
  objects: readonly PsObject[],
  parse: (row: PsObject) => Row,
): { rows: Row[]; rejected: RejectedRow[] } {
  const rows: Row[] = []
  const rejected: RejectedRow[] = []
  for (const object of objects) {
    try {
      rows.push(parse(object))
    } catch (error) {
      if (!(error instanceof RowRejected)) throw error
      rejected.push({ guid: guidOf(object), reason: error.message })
    }
  }
  return { rows, rejected }
}

/** A property that must not be empty. Throws RowRejected. */
export function requireText(row: PsObject, property: string): string {
  const text = readText(row, property)
  if (text === '') throw new RowRejected(`${property} is empty`)
  return text
}

/** The row's Guid in lower case. Throws RowRejected. */
export function requireRowGuid(row: PsObject): string {
  const guid = guidOf(row)
  if (guid === undefined) throw new RowRejected('Guid is not a GUID')
  return guid
}

function guidOf(row: PsObject): string | undefined {
  const text = readText(row, 'Guid')
  return isGuid(text) ? text.toLowerCase() : undefined
}
