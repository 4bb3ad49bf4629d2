import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Agent, request } from 'undici'

export type ControlClient = {
  readonly url: string
  get(path: string, query?: Query): Promise<unknown>
  post(path: string, body: unknown): Promise<unknown>
  /** Sends lines of JSON. */
  postLines(path: string, lines: string): Promise<unknown>
  /** Passes the answer on as it comes, whatever its length. */
  download(path: string, query: Query, to: Writable): Promise<void>
} & AsyncDisposable

type Query = Record<string, string | number | undefined>
type Call = { method: 'GET' | 'POST'; path: string; body?: string; contentType?: string }

const ANSWER_MS = 30_000
/** For what moves many messages. */
const WORK_MS = 10 * 60_000

/**
 * A client of control's HTTP API.
 * @throws RetryableError `control-unreachable` when nothing answers at the address, PermanentError `control-refused` with
 * the API's own words (problem+json) for every answer that is not a success.
 */
export async function createControlClient(
  options: { url: string; tokenFile: string },
  signal: AbortSignal,
): Promise<ControlClient> {
  const token = await readToken(options.tokenFile)
  const agent = new Agent({ connect: { timeout: 5_000 }, headersTimeout: WORK_MS, bodyTimeout: WORK_MS })
  const send = async ({ method, path, body, contentType = 'application/json' }: Call, answerMs: number) => {
    const answer = await request(new URL(path, options.url), {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${token}`,
        'gatehouse-actor': actorName(),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new RetryableError('control-unreachable', `Nothing answers at ${options.url}: is \`gatehouse up\` running?`, {
        cause: error,
      })
    })
    if (answer.statusCode < 300) return answer
    const problem = problemText(await answer.body.text(), answer.statusCode)
    throw new PermanentError('control-refused', problem, { detail: { status: answer.statusCode } })
  }
  const call = async (what: Call): Promise<unknown> => {
    const answer = await send(what, what.method === 'GET' ? ANSWER_MS : WORK_MS)
    const text = await answer.body.text()
    return text === '' ? undefined : JSON.parse(text)
  }
  return {
    url: options.url,
    get: (path, query = {}) => call({ method: 'GET', path: withQuery(path, query) }),
    post: (path, body) => call({ method: 'POST', path, body: JSON.stringify(body) }),
    postLines: (path, body) => call({ method: 'POST', path, body, contentType: 'application/x-ndjson' }),
    download: async (path, query, to) => {
      const answer = await send({ method: 'GET', path: withQuery(path, query) }, WORK_MS)
      await pipeline(answer.body, to, { signal })
    },
    [Symbol.asyncDispose]: () => agent.close(),
  }
}

/** Who runs the command, for the record of what was done. */
function actorName(): string {
  const plain = (text: string): string => text.replace(/[^\x21-\x7e]/g, '?')
  try {
    return `${plain(userInfo().username)}@${plain(hostname())}`
  } catch {
    // A user id without a name, as in a container.
    return `uid ${process.getuid?.() ?? '?'}@${plain(hostname())}`
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new PermanentError('token-unreadable', `The API token cannot be read from ${path}`, { cause: error })
  }
}

function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value))
  return search.size === 0 ? path : `${path}?${search}`
}

function problemText(text: string, status: number): string {
  try {
    const { title, detail } = JSON.parse(text) as { title?: string; detail?: string }
    return [title, detail].filter(Boolean).join(': ') || `The API answered ${status}`
  } catch {
    return `The API answered ${status}`
  }
}
