import { setTimeout as delay } from 'node:timers/promises'
import type { RouteHandlerMethod } from 'fastify'

const TRIES = 3
const PAUSE_MS = 50

/** PostgreSQL ended the connection (57P0x), or the network did. */
const LOST = new Set(['57P01', '57P02', '57P03', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE'])

export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && LOST.has(String(error.code))) || /^Connection terminated/.test(error.message)
}

/** A read that lost its database connection is done again: the pool has another one, and reading twice changes nothing. */
export function retryReads(handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function read(request, reply) {
    for (let tried = 1; ; tried += 1) {
      try {
        return await handler.call(this, request, reply)
      } catch (error) {
        if (tried >= TRIES || !isConnectionLost(error) || reply.sent) throw error
        await delay(PAUSE_MS)
      }
    }
  }
}
