import type { FastifyReply } from 'fastify'
import type { Refusal } from '../dead-letters/refuse-execution.ts'
import { sendProblem } from './problem.ts'

/** Not done: with the code, and with what is there now, so that it can be asked for again. */
export function sendRefusal(reply: FastifyReply, refusal: Refusal, selection?: { keys: unknown }): FastifyReply {
  const { keys: _keys, ...present } = selection ?? { keys: undefined }
  const { code, problem: detail } = refusal
  return sendProblem(reply, { status: 409, title: 'Refused', detail, code, ...(selection === undefined ? {} : { present }) })
}
