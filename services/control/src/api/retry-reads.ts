import { setTimeout as delay } from 'node:timers/promises'
import type { RouteHandlerMethod } from 'fastify'

const TRIES = 3
const PAUSE_MS = 50

/** PostgreSQL ended the connection (57P0x; 25P03: in a transaction that idled), or the network did, or nothing came back. */
const LOST = new Set(['57P01', '57P02', '57P03', '25P03', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT'])
/** What pg and pg-pool say without a code. */
const LOST_TEXT = /^(Connection terminated|timeout exceeded when trying to connect)/

export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && LOST.has(String(error.code))) || LOST_TEXT.test(error.message)
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
