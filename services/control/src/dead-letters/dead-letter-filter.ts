import { DEAD_LETTER_SOURCES, type DeadLetter, type DeadLetterSource } from '@gatehouse/broker'
import { z } from 'zod'
import { parseLetterBody } from './parse-letter-body.ts'

const Word = z.string().min(1).max(200)
const Guid = z.guid().transform((id) => id.toLowerCase())
const Instant = z.iso.datetime({ offset: true })

/** Which dead letters are meant: those that satisfy everything that is said here. */
export const DeadLetterFilter = z.strictObject({
  service: z.enum(DEAD_LETTER_SOURCES).optional(),
  errorClass: Word.optional(),
  /** The error's code or the reason of the death. */
  code: Word.optional(),
  type: Word.optional(),
  organizationId: Guid.optional(),
  mailboxId: Guid.optional(),
  /** By when it died; a letter that does not tell is not meant. */
  deadBefore: Instant.optional(),
  deadAfter: Instant.optional(),
  /** Message ids; of letters without one, what the list shows as their key. */
  ids: z.array(Word).min(1).max(1_000).optional(),
  /** Letters that a replay sent and that died again. */
  replayId: Guid.optional(),
})
export type DeadLetterFilter = z.infer<typeof DeadLetterFilter>

/** What a letter is grouped by, next to its service, type and error class. */
export function codeOf(letter: Pick<DeadLetter, 'errorCode' | 'reason'>): string {
  return letter.errorCode ?? letter.reason
}

/** The dead queues in which letters that satisfy the filter can lie. */
export function sourcesOf(filter: DeadLetterFilter): readonly DeadLetterSource[] {
  return filter.service === undefined ? DEAD_LETTER_SOURCES : [filter.service]
}

/** Tells whether a letter is meant. */
export function matcherOf(filter: DeadLetterFilter): (letter: DeadLetter) => boolean {
  const ids = filter.ids === undefined ? undefined : new Set(filter.ids)
  const before = filter.deadBefore === undefined ? undefined : Date.parse(filter.deadBefore)
  const after = filter.deadAfter === undefined ? undefined : Date.parse(filter.deadAfter)
  return (letter) =>
    (ids === undefined || ids.has(letter.key)) &&
    (filter.service === undefined || letter.service === filter.service) &&
    (filter.errorClass === undefined || letter.errorClass === filter.errorClass) &&
    (filter.code === undefined || letter.errorCode === filter.code || letter.reason === filter.code) &&
    (filter.type === undefined || letter.type === filter.type) &&
    (filter.replayId === undefined || letter.replayId === filter.replayId) &&
    (before === undefined || Date.parse(letter.deadAt ?? '') < before) &&
    (after === undefined || Date.parse(letter.deadAt ?? '') > after) &&
    isAbout(letter, filter)
}

/** The content is read only when it is asked for: most filters need the headers alone. */
function isAbout(letter: DeadLetter, { organizationId, mailboxId }: DeadLetterFilter): boolean {
  if (organizationId === undefined && mailboxId === undefined) return true
  const body = parseLetterBody(letter.content)
  const says = (name: 'organizationId' | 'mailboxId', id: string | undefined): boolean =>
    id === undefined || (typeof body?.[name] === 'string' && body[name].toLowerCase() === id)
  return says('organizationId', organizationId) && says('mailboxId', mailboxId)
}
