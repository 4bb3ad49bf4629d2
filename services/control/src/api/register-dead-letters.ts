import { type DeadLetter, SERVICE_NAMES } from '@gatehouse/broker'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ApiDeps } from './api-deps.ts'
import { notFound } from './problem.ts'

const Query = z.object({
  /** A dead queue or the service it belongs to. */
  queue: z.string().max(200).optional(),
  top: z.coerce.number().int().min(1).max(1_000).default(100),
})
const MessageId = z.object({ id: z.string().min(1).max(200) })

/** The messages that died. Reading them spends nothing of them. */
export function registerDeadLetters(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/deadLetters', async (request) => {
    const { queue, top } = Query.parse(request.query)
    const answers = await Promise.all(
      SERVICE_NAMES.map((service) => deps.readDeadLetters({ service, limit: top }, deps.signal)),
    )
    const letters = answers.flatMap((answer) => answer.messages)
    const chosen =
      queue === undefined ? letters : letters.filter((letter) => letter.queue === queue || letter.service === queue)
    return { value: chosen.slice(0, top).map(letterView), total: answers.reduce((total, answer) => total + answer.total, 0) }
  })

  app.get('/api/deadLetters/:id', async (request, reply) => {
    const { id } = MessageId.parse(request.params)
    for (const service of SERVICE_NAMES) {
      const { messages } = await deps.readDeadLetters(
        { service, limit: 1, where: (letter) => letter.messageId === id },
        deps.signal,
      )
      if (messages[0] !== undefined)
        return { ...letterView(messages[0]), body: readBody(messages[0].body), headers: messages[0].headers }
    }
    return notFound(reply, 'dead letter')
  })
}

function letterView({ body: _body, headers: _headers, ...letter }: DeadLetter) {
  return letter
}

function readBody(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
