import type { IncomingMessage, ServerResponse } from 'node:http'
import type { GraphAnswer } from './graph-answer.ts'

const bodyBytesMax = 4 * 1024 * 1024

/** The whole body as text. Throws when it is longer than Graph takes. */
export async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new Error('The request body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

export function readHeaders(incoming: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

export function writeAnswer(outgoing: ServerResponse, answer: GraphAnswer, headers: Record<string, string> = {}): void {
  const body = Buffer.from(JSON.stringify(answer.body))
  outgoing.writeHead(answer.status, {
    'content-type': 'application/json',
    ...headers,
    ...answer.headers,
    'content-length': body.length,
  })
  outgoing.end(body)
}
