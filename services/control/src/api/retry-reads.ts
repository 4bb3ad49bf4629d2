import { setTimeout as delay } from 'node:timers/promises'
import { isDatabaseUnreachable } from '@gatehouse/store'
import type { RouteHandlerMethod } from 'fastify'

const TRIES = 3
const PAUSE_MS = 50

/** A read that lost its database connection is done again: the pool has another one, and reading twice changes nothing. */
export function retryReads(handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function read(request, reply) {
    for (let tried = 1; ; tried += 1) {
      try {
        return await handler.call(this, request, reply)
      } catch (error) {
        if (tried >= TRIES || !isDatabaseUnreachable(error) || reply.sent) throw error
        await delay(PAUSE_MS)
      }
    }
  }
}
