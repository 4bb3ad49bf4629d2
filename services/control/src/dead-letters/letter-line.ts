import { DEAD_LETTER_SOURCES, type DeadLetter, type StoredLetter, toStoredLetter } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { z } from 'zod'

const Line = z.strictObject({
  service: z.enum(DEAD_LETTER_SOURCES),
  messageId: z.string().max(255),
  type: z.string().min(1).max(255),
  contentType: z.string().max(255).optional(),
  headers: z.record(z.string().min(1).max(255), z.union([z.string().max(8_000), z.number()])),
  /** The content, where it is text; else `base64`. */
  body: z.string().max(1_048_576).optional(),
  base64: z.base64().max(1_500_000).optional(),
})

/** A letter as one line of JSON, whole: what is no text is in base64. */
export function formatLetterLine(letter: DeadLetter): string {
  const { content, ...rest } = toStoredLetter(letter)
  const body = content.toString()
  const isText = Buffer.from(body).equals(content)
  return `${JSON.stringify({ ...rest, ...(isText ? { body } : { base64: content.toString('base64') }) })}\n`
}

/**
 * Reads what `formatLetterLine` wrote, all of it before anything is done with any.
 * @throws PermanentError `import-invalid` that names the line and what is wrong with it.
 */
export function parseLetterLines(text: string): StoredLetter[] {
  return text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => parseLine(line, number))
}

function parseLine(line: string, number: number): StoredLetter {
  const parsed = Line.safeParse(parseJson(line, number))
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the line'}: ${issue.message}`)
    throw invalid(number, issues.join('; '))
  }
  const { body, base64, ...rest } = parsed.data
  if ((body === undefined) === (base64 === undefined)) throw invalid(number, 'it needs either body or base64')
  return { ...rest, content: body === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(body) }
}

function parseJson(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw invalid(number, 'it is not JSON')
  }
}

function invalid(number: number, why: string): PermanentError {
  return new PermanentError('import-invalid', `Line ${number}: ${why}; nothing was imported`)
}
