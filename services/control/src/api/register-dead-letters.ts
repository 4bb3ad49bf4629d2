import { PassThrough } from 'node:stream'
import type { DeadLetter } from '@gatehouse/broker'
import { readArchive, readDeadLetterActions } from '@gatehouse/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { DeadLetterFilter, matcherOf, sourcesOf } from '../dead-letters/dead-letter-filter.ts'
import { DiscardRequest, discardLetters } from '../dead-letters/discard-letters.ts'
import { editLetter, JsonPatch } from '../dead-letters/edit-letter.ts'
import { exportLetters } from '../dead-letters/export-letters.ts'
import { findLetter } from '../dead-letters/find-letter.ts'
import { DeadLetterGroups } from '../dead-letters/group-dead-letters.ts'
import { importLetters } from '../dead-letters/import-letters.ts'
import { parseLetterLines } from '../dead-letters/letter-line.ts'
import { lookThrough } from '../dead-letters/look-through.ts'
import { restoreLetters } from '../dead-letters/restore-letters.ts'
import { actorOf } from './actor-of.ts'
import type { ApiDeps } from './api-deps.ts'
import { camelCased } from './camel-cased.ts'
import { deadLetterView, wholeDeadLetterView } from './dead-letter-view.ts'
import { Page } from './page.ts'
import { notFound, sendProblem } from './problem.ts'
import { sendRefusal } from './send-refusal.ts'

const FilterQuery = DeadLetterFilter.extend({
  /** Several ids with commas between. */
  ids: z
    .string()
    .transform((text) => text.split(',').filter((id) => id !== ''))
    .pipe(z.array(z.string().min(1).max(200)).min(1).max(1_000))
    .optional(),
})
const ListQuery = FilterQuery.extend({ top: z.coerce.number().int().min(1).max(1_000).default(100) })
const Key = z.object({ id: z.string().min(1).max(200) })
const Restore = z.strictObject({ ids: z.array(z.string().min(1).max(200)).min(1).max(1_000) })
const Edit = z.strictObject({ patch: JsonPatch })

const IMPORT_BYTES_MAX = 64 * 1_048_576
const NDJSON = 'application/x-ndjson'

/** The messages that died. Reading them spends nothing of them; everything that changes something is recorded. */
export function registerDeadLetters(app: FastifyInstance, deps: ApiDeps): void {
  const { deadLetters, signal } = deps
  registerReads(app, deps)

  app.post('/api/deadLetters/discard', async (request, reply) => {
    const answer = await discardLetters(DiscardRequest.parse(request.body), actorOf(request), deadLetters, signal)
    if (answer.kind === 'refused') return sendRefusal(reply, answer, answer.selection)
    const { keys: _keys, ...selection } = answer.selection
    return { ...selection, ...(answer.kind === 'discarded' ? { discarded: answer.discarded } : {}) }
  })

  app.post('/api/deadLetters/restore', async (request) => {
    return await restoreLetters(Restore.parse(request.body).ids, actorOf(request), deadLetters, signal)
  })

  app.post('/api/deadLetters/:id/edit', async (request, reply) => {
    const { id } = Key.parse(request.params)
    const { patch } = Edit.parse(request.body)
    const answer = await editLetter({ key: id, patch }, actorOf(request), deadLetters, signal)
    if (answer === undefined) return notFound(reply, 'dead letter')
    if (answer.kind === 'edited') return { messageId: answer.messageId, editedFrom: id, body: answer.body }
    return await sendRefusal(reply, answer)
  })

  app.addContentTypeParser(NDJSON, { parseAs: 'string', bodyLimit: IMPORT_BYTES_MAX }, (_request, body, done) =>
    done(null, body),
  )
  app.post('/api/deadLetters/import', { bodyLimit: IMPORT_BYTES_MAX }, async (request, reply) => {
    if (typeof request.body !== 'string')
      return sendProblem(reply, { status: 415, title: 'The request is not valid', detail: `Send lines of JSON as ${NDJSON}` })
    const letters = parseLetterLines(request.body)
    return { imported: await importLetters(letters, actorOf(request), deadLetters, signal) }
  })
}

function registerReads(app: FastifyInstance, deps: ApiDeps): void {
  const { deadLetters, signal } = deps
  app.get('/api/deadLetters', async (request) => {
    const { top, ...filter } = ListQuery.parse(request.query)
    const letters: DeadLetter[] = []
    let total = 0
    const isMeant = matcherOf(filter)
    const see = (letter: DeadLetter): 'leave' | 'stop' => {
      if (letters.length < top && isMeant(letter)) letters.push(letter)
      return letters.length < top ? 'leave' : 'stop'
    }
    // Even when there are enough, those of the other services are counted.
    for (const source of sourcesOf(filter)) total += (await lookThrough(source, see, deadLetters, signal)).total
    return { value: letters.map(deadLetterView), total }
  })

  app.get('/api/deadLetters/groups', async (request) => {
    const filter = FilterQuery.parse(request.query)
    const isMeant = matcherOf(filter)
    const groups = new DeadLetterGroups()
    let total = 0
    let matched = 0
    const see = (letter: DeadLetter): 'leave' => {
      if (isMeant(letter)) {
        matched += 1
        groups.add(letter)
      }
      return 'leave'
    }
    for (const source of sourcesOf(filter)) total += (await lookThrough(source, see, deadLetters, signal)).total
    return { value: groups.list(), matched, total }
  })

  app.get('/api/deadLetters/export', async (request, reply) => {
    const to = new PassThrough()
    const gone = new AbortController()
    reply.raw.on('close', () => gone.abort(new Error('The client has gone')))
    const either = AbortSignal.any([signal, gone.signal])
    exportLetters(FilterQuery.parse(request.query), { actor: actorOf(request), to }, deadLetters, either).catch((error) => {
      // The answer has begun: cutting it short is how the client learns that it is not whole.
      if (!either.aborted) deps.log.error({ err: error }, 'Dead letters could not be exported')
      to.destroy(error)
    })
    return reply.type(NDJSON).send(to)
  })

  app.get('/api/deadLetters/archive', async (request) => {
    return { value: (await readArchive(deadLetters.db, Page.parse(request.query))).map(camelCased) }
  })

  app.get('/api/deadLetters/actions', async (request) => {
    return { value: (await readDeadLetterActions(deadLetters.db, Page.parse(request.query))).map(camelCased) }
  })

  app.get('/api/deadLetters/:id', async (request, reply) => {
    const letter = await findLetter(Key.parse(request.params).id, deadLetters, signal)
    return letter === undefined ? notFound(reply, 'dead letter') : wholeDeadLetterView(letter)
  })
}
