import type { IncomingMessage } from 'node:http'

/** Calls back with the whole body as text, or with undefined as soon as it is longer than `bytesMax`. */
export function readBody(request: IncomingMessage, bytesMax: number, done: (text: string | undefined) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bytesMax) chunks.push(chunk)
  })
  request.on('end', () => {
    const [only] = chunks
    const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
    done(bytes > bytesMax ? undefined : body.toString('utf8'))
  })
}
