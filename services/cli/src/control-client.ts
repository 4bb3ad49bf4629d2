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
/** What control answers while it cannot reach what it needs itself. */
const UNAVAILABLE = 503
/** For what moves many messages. */
const WORK_MS = 10 * 60_000

/**
 * A client of control's HTTP API.
 * @throws RetryableError `control-unreachable` when nothing answers at the address, `control-unavailable` when control says that
 * it cannot answer now; PermanentError `control-refused` with the API's own words (problem+json) for every other refusal.
 */
export async function createControlClient(
  options: { url: string; tokenFile: string },
  signal: AbortSignal,
): Promise<ControlClient> {
  const token = await readToken(options.tokenFile)
  const agent = new Agent({ connect: { timeout: 5_000 }, headersTimeout: WORK_MS, bodyTimeout: WORK_MS })
  const ask = (call: Call, answerMs: number) =>
    send(new URL(call.path, options.url), { ...requestOf(call, token), dispatcher: agent }, { signal, answerMs })
  const call = async (what: Call): Promise<unknown> => {
    const answer = await ask(what, what.method === 'GET' ? ANSWER_MS : WORK_MS)
    const text = await textOf(answer, options.url, signal)
    return text === '' ? undefined : JSON.parse(text)
  }
  return {
    url: options.url,
    get: (path, query = {}) => call({ method: 'GET', path: withQuery(path, query) }),
    post: (path, body) => call({ method: 'POST', path, body: JSON.stringify(body) }),
    postLines: (path, body) => call({ method: 'POST', path, body, contentType: 'application/x-ndjson' }),
    download: async (path, query, to) => {
      const answer = await ask({ method: 'GET', path: withQuery(path, query) }, WORK_MS)
      await pipeline(answer.body, to, { signal })
    },
    [Symbol.asyncDispose]: () => agent.close(),
  }
}

function requestOf({ method, body, contentType = 'application/json' }: Call, token: string) {
  const headers = { authorization: `Bearer ${token}`, 'gatehouse-actor': actorName() }
  return body === undefined ? { method, headers } : { method, headers: { ...headers, 'content-type': contentType }, body }
}

type Answer = Awaited<ReturnType<typeof request>>

/** An answer that is a success; its body is not read yet. */
async function send(
  url: URL,
  options: Parameters<typeof request>[1],
  { signal, answerMs }: { signal: AbortSignal; answerMs: number },
): Promise<Answer> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const answer = await request(url, { ...options, signal: either }).catch((error) => unreachable(error, url.origin, signal))
  if (answer.statusCode < 300) return answer
  const problem = problemText(await textOf(answer, url.origin, signal), answer.statusCode)
  if (answer.statusCode === UNAVAILABLE) throw new RetryableError('control-unavailable', problem)
  throw new PermanentError('control-refused', problem, { detail: { status: answer.statusCode } })
}

function textOf(answer: Answer, origin: string, signal: AbortSignal): Promise<string> {
  return answer.body.text().catch((error) => unreachable(error, origin, signal))
}

function unreachable(cause: unknown, origin: string, signal: AbortSignal): never {
  signal.throwIfAborted()
  throw new RetryableError('control-unreachable', `Nothing answers at ${origin}: is \`gatehouse up\` running?`, { cause })
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
    // Below it may stand the one before, as long as that is let in.
    return (await readFile(path, 'utf8')).trim().split(/\s/)[0] ?? ''
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
