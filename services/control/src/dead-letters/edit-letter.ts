import { randomUUID } from 'node:crypto'
import { type DeadLetter, putDeadLetter, readDelivery, toStoredLetter } from '@gatehouse/broker'
import { insertDeadLetterAction } from '@gatehouse/store'
import { applyPatch, type Operation } from 'rfc6902'
import { z } from 'zod'
import { moveToArchive } from './archive-letters.ts'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { findLetter } from './find-letter.ts'
import { parseLetterBody } from './parse-letter-body.ts'
import { type Refusal, refusal } from './refuse-execution.ts'
import { takeQueues } from './take-queues.ts'

const Pointer = z
  .string()
  .max(500)
  .regex(/^(\/([^~/]|~[01])*)*$/, 'is no JSON pointer (RFC 6901)')
  .refine((pointer) => !/\/(__proto__|constructor|prototype)(\/|$)/.test(pointer), 'leads into what all objects share')

/** A JSON patch (RFC 6902). */
export const JsonPatch = z
  .array(
    z.discriminatedUnion('op', [
      z.strictObject({ op: z.literal('add'), path: Pointer, value: z.json() }),
      z.strictObject({ op: z.literal('replace'), path: Pointer, value: z.json() }),
      z.strictObject({ op: z.literal('test'), path: Pointer, value: z.json() }),
      z.strictObject({ op: z.literal('remove'), path: Pointer }),
      z.strictObject({ op: z.literal('move'), path: Pointer, from: Pointer }),
      z.strictObject({ op: z.literal('copy'), path: Pointer, from: Pointer }),
    ]),
  )
  .min(1)
  .max(100)
export type JsonPatch = z.infer<typeof JsonPatch>

export type EditAnswer = { readonly kind: 'edited'; readonly messageId: string; readonly body: unknown } | Refusal | undefined

/**
 * Makes a letter anew with its content patched, under a new id and with a link to the old one, which goes into the archive. The
 * new one lies in the dead queue until it is replayed. Refused when today's schema refuses the result.
 * @returns undefined when there is no such letter.
 */
export async function editLetter(
  { key, patch }: { key: string; patch: JsonPatch },
  actor: string,
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<EditAnswer> {
  const found = await findLetter(key, deps, signal)
  if (found === undefined) return undefined
  const taken = await takeQueues([found.service], deps)
  if (taken.kind === 'refused') return taken
  using queues = taken
  const either = AbortSignal.any([signal, queues.signal])
  // Before the queue was ours, somebody may have taken it away.
  const letter = await findLetter(key, deps, either)
  if (letter?.service !== found.service) return undefined
  const edited = patchLetter(letter, patch)
  if ('kind' in edited) return edited
  const at = deps.now()
  const { messageId } = edited
  const stored = toStoredLetter(letter)
  const { 'gh-replay-id': _sentBy, ...kept } = stored.headers
  const headers = { ...kept, 'gh-edited-from': letter.key }
  const content = Buffer.from(JSON.stringify(edited.body))
  await putDeadLetter(deps.broker, { ...stored, messageId, type: edited.type, headers, content }, either)
  const by = { actor, reason: `edited: it is ${messageId} now`, at }
  const isOld = (one: DeadLetter): boolean => one.key === letter.key
  const archived = await moveToArchive(letter.service, isOld, by, { deps, signal: either })
  const detail = { from: letter.key, to: messageId, patch, archived }
  await insertDeadLetterAction(deps.db, { action: 'edit', services: [letter.service], messageId, actor, detail, at })
  return { kind: 'edited', messageId, body: edited.body }
}

function patchLetter(letter: DeadLetter, patch: JsonPatch): { messageId: string; type: string; body: object } | Refusal {
  const body = parseLetterBody(letter.content)
  if (body === undefined) return refusal('not-json', 'The content of the letter is not a JSON object: it cannot be patched')
  const failed = applyPatch(body, patch as Operation[]).find((problem) => problem !== null)
  if (failed) return refusal('patch-failed', `The patch cannot be applied: ${failed.message}`)
  const messageId = randomUUID()
  Object.assign(body, { messageId })
  const read = readDelivery(Buffer.from(JSON.stringify(body)))
  if (read.kind === 'message') return { messageId, type: read.message.type, body }
  const why = read.kind === 'malformed' ? `${read.problem}: ${read.issues}` : `This build does not know it (${read.reason})`
  return refusal('patch-refused', `The patched message is refused: ${why}`)
}
