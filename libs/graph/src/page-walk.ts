import { PermanentError } from '@gatehouse/messages'

export const WALK_PAGES_MAX = 1_000
export const WALK_ROWS_MAX = 200_000

/** How far a walk through the pages of one list has come. It only changes when a page has been read whole. */
export type PageWalk<Row> = {
  readonly rows: Map<string, Row>
  rejected: number
  /** Path of the page to read; undefined when the walk is finished. */
  next: string | undefined
  readonly seen: Set<string>
  readonly startedAt: number
  /** Failures other than throttling, on the page to read. */
  failures: number
}

export function createPageWalk<Row>(first: string, startedAt: number): PageWalk<Row> {
  return { rows: new Map(), rejected: 0, next: first, seen: new Set([first]), startedAt, failures: 0 }
}

/**
 * Adds a page. A list that shifts under the walk shows a row twice: the later one counts.
 * @throws PermanentError('graph-paging-endless'), PermanentError('graph-answer-too-large')
 */
export function addPage<Row extends { readonly id: string }>(
  walk: PageWalk<Row>,
  page: { readonly rows: readonly (Row | undefined)[]; readonly next: string | undefined },
): void {
  checkNext(walk.seen, page.next)
  for (const row of page.rows) {
    if (row === undefined) walk.rejected += 1
    else walk.rows.set(row.id, row)
  }
  if (walk.rows.size + walk.rejected > WALK_ROWS_MAX) {
    throw new PermanentError('graph-answer-too-large', `Graph gave more than ${WALK_ROWS_MAX} rows of one list`)
  }
  walk.failures = 0
  walk.next = page.next
}

/** Remembers the next page. Throws PermanentError('graph-paging-endless') when it was there before, or the pages are too many. */
export function checkNext(seen: Set<string>, next: string | undefined): void {
  if (next === undefined) return
  if (seen.has(next)) throw new PermanentError('graph-paging-endless', 'Graph gave the link to a page that was read before')
  if (seen.size >= WALK_PAGES_MAX) {
    throw new PermanentError('graph-paging-endless', `Graph gave more than ${WALK_PAGES_MAX} pages of one list`)
  }
  seen.add(next)
}
