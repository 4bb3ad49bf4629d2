import { type DeadLetterSource, putDeadLetter } from '@gatehouse/broker'
import { insertDeadLetterAction, noteRestored, type Row, readArchivedLetters } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'

/**
 * Puts discarded letters back into their dead queues, as they were. What is restored is published and confirmed before the
 * archive says so: a crash in between puts it there twice, with the same id.
 * @returns how many, and which of the ids the archive does not hold.
 */
export async function restoreLetters(
  ids: readonly string[],
  actor: string,
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<{ restored: number; unknown: string[] }> {
  const letters = await readArchivedLetters(deps.db, ids)
  const at = deps.now()
  let restored = 0
  try {
    for (const letter of letters) {
      await putDeadLetter(deps.broker, toLetter(letter), signal)
      await noteRestored(deps.db, letter.id, { actor, at })
      restored += 1
    }
  } finally {
    if (letters.length > 0) {
      const services = [...new Set(letters.map((letter) => letter.service))]
      await insertDeadLetterAction(deps.db, { action: 'restore', services, actor, detail: { ids, restored }, at })
    }
  }
  const known = new Set(letters.flatMap((letter) => [letter.id, letter.message_id]))
  return { restored, unknown: ids.filter((id) => !known.has(id)) }
}

function toLetter(row: Row<'discarded_letters'>): Parameters<typeof putDeadLetter>[1] {
  return {
    service: row.service as DeadLetterSource,
    messageId: row.message_id.startsWith('sha256:') ? '' : row.message_id,
    type: row.type,
    contentType: row.content_type ?? undefined,
    headers: JSON.parse(row.headers.toString()) as Record<string, string | number>,
    content: row.content,
  }
}
