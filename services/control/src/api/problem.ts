import { PermanentError, RetryableError } from '@gatehouse/messages'
import { isDatabaseUnreachable } from '@gatehouse/store'
import type { FastifyReply } from 'fastify'
import { ZodError } from 'zod'

/** An answer that is not a success, as RFC 9457 has it. */
export type Problem = { status: number; title: string; detail?: string; [extra: string]: unknown }

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .send({ type: 'about:blank', ...problem })
}

export function notFound(reply: FastifyReply, what: string): FastifyReply {
  return sendProblem(reply, { status: 404, title: 'Not found', detail: `There is no such ${what}` })
}

/** What a thrown error is to a client. Only what the client sent is explained; the rest is in the log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ZodError) {
    const issues = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
    const detail = issues.map((issue) => `${issue.path || 'body'}: ${issue.message}`).join('; ')
    return { status: 400, title: 'The request is not valid', detail, issues }
  }
  if (error instanceof PermanentError && error.code === 'import-invalid')
    return { status: 400, title: 'The request is not valid', detail: error.message, code: error.code }
  if (error instanceof PermanentError || error instanceof RetryableError) {
    const status = error instanceof RetryableError ? 503 : 500
    return { status, title: 'The request failed', detail: error.message, code: error.code }
  }
  if (isDatabaseUnreachable(error))
    return { status: 503, title: 'The request failed', detail: 'The database cannot be reached' }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 400 && status < 500 && error instanceof Error)
    return { status, title: 'The request is not valid', detail: error.message }
  return { status: 500, title: 'The request failed', detail: 'The log of control says why' }
}
