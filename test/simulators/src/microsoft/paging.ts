import { randomUUID } from 'node:crypto'
import { type GraphAnswer, type GraphRequest, refuse } from './graph-answer.ts'

const walksKept = 500

export type Page<Row> = { rows: readonly Row[]; nextLink: string | undefined; isFirst: boolean; total: number }
export type Paging = ReturnType<typeof createPaging>

/**
 * Lists handed out page by page. A walk keeps the rows it began with. Links are opaque; the tokens hold characters that a
 * client spoils which takes a link apart and puts it together again.
 */
export function createPaging() {
  const walks = new Map<string, { rows: readonly unknown[]; path: string }>()

  function begin(path: string, rows: readonly unknown[]): string {
    if (walks.size >= walksKept) walks.delete(walks.keys().next().value as string)
    const id = randomUUID()
    walks.set(id, { rows, path })
    return id
  }

  /** `list` is called for the first page only. `missingPage` (from 1) is jumped over. */
  return function read<Row>(
    request: GraphRequest,
    options: { list: () => readonly Row[]; pageSize: number; missingPage?: number | undefined },
  ): Page<Row> | GraphAnswer {
    const path = request.segments.join('/').toLowerCase()
    const skipToken = request.query.get('$skiptoken')
    const [id, place] = skipToken === null ? [begin(path, options.list()), 0] : parseSkipToken(skipToken)
    const walk = walks.get(id)
    if (walk === undefined || walk.path !== path || !Number.isInteger(place)) return refuseToken()
    const rows = walk.rows as readonly Row[]
    const skip = (from: number) => options.missingPage !== undefined && from === (options.missingPage - 1) * options.pageSize
    const from = skip(place) ? place + options.pageSize : place
    const next = skip(from + options.pageSize) ? from + 2 * options.pageSize : from + options.pageSize
    return {
      rows: rows.slice(from, from + options.pageSize),
      nextLink: next < rows.length ? toNextLink(request, id, next) : undefined,
      isFirst: skipToken === null,
      total: rows.length,
    }
  }
}

function refuseToken(): GraphAnswer {
  const text = 'The specified page token value has expired and can no longer be included in your request.'
  return refuse(400, 'Directory_ExpiredPageToken', text)
}

function toNextLink(request: GraphRequest, id: string, place: number): string {
  const path = request.segments.map(encodeURIComponent).join('/')
  const kept = [...request.query]
    .filter(([name]) => name.toLowerCase() !== '$skiptoken')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const token = Buffer.from(`»¿þ|${id}|${place}|ÿ`).toString('base64')
  return `${request.base}/${path}?${[...kept, `$skiptoken=${encodeURIComponent(token)}`].join('&')}`
}

function parseSkipToken(token: string): [string, number] {
  const [mark, id = '', place = ''] = Buffer.from(token, 'base64').toString().split('|')
  return mark === '»¿þ' && /^\d+$/.test(place) ? [id, Number(place)] : ['', Number.NaN]
}
