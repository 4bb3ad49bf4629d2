import { readFile } from 'node:fs/promises'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Agent, request } from 'undici'

export type ControlClient = {
  readonly url: string
  get(path: string, query?: Record<string, string | number | undefined>): Promise<unknown>
  post(path: string, body: unknown): Promise<unknown>
} & AsyncDisposable

const ANSWER_MS = 30_000

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
  const agent = new Agent({ connect: { timeout: 5_000 } })
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> => {
    const answer = await request(new URL(path, options.url), {
      method,
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new RetryableError('control-unreachable', `Nothing answers at ${options.url}: is \`gatehouse up\` running?`, {
        cause: error,
      })
    })
    const text = await answer.body.text()
    if (answer.statusCode < 300) return text === '' ? undefined : JSON.parse(text)
    throw new PermanentError('control-refused', problemText(text, answer.statusCode), { detail: { status: answer.statusCode } })
  }
  return {
    url: options.url,
    get: (path, query = {}) => call('GET', withQuery(path, query)),
    post: (path, body) => call('POST', path, body),
    [Symbol.asyncDispose]: () => agent.close(),
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new PermanentError('token-unreadable', `The API token cannot be read from ${path}`, { cause: error })
  }
}

function withQuery(path: string, query: Record<string, string | number | undefined>): string {
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
