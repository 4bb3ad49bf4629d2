import type { ColumnType } from 'kysely'
import type { Json, NullableTimestamp, Timestamp } from './column-types.ts'
import type { ProblemJson } from './schema.ts'

/** Writer: control. Append-only: what was done to dead letters, by whom, to which, and what came of it. */
export type DeadLetterActionsTable = {
  id: string
  action: 'replay' | 'replay-stop' | 'replay-resume' | 'replay-end' | 'discard' | 'restore' | 'edit' | 'export' | 'import'
  /** One dead queue; several of them with commas between. */
  queue: string
  message_id: string | null
  actor: string
  detail: Json<Record<string, unknown>>
  at: Timestamp
}

export type ReplayState = 'running' | 'stopped' | 'finished'
/**
 * `returned`: sent, and dead again. `unaccounted`: not in the dead queue any more and not known to be sent: by a copy that died
 * before it noted it, or taken away by somebody else.
 */
export type ReplayCounts = { selected: number; sent: number; returned: number; unaccounted: number }

/**
 * Writer: control. A replay of dead letters. `selection` holds the keys of its letters by service, so that whoever goes on with
 * it after a crash sends the same ones. At most one that runs in any dead queue.
 */
export type ReplaysTable = {
  id: string
  state: ReplayState
  services: string[]
  filter: Json<Record<string, unknown>>
  options: Json<Record<string, unknown>>
  hash: string
  selection: Json<Record<string, string[]>>
  counts: Json<ReplayCounts>
  canary_passed_at: NullableTimestamp
  problem: ColumnType<ProblemJson | null, string | null | undefined, string | null>
  actor: string
  started_at: Timestamp
  finished_at: NullableTimestamp
}

/**
 * Writer: control. Letters taken out of the dead queues on purpose. `headers` is their JSON: as bytes, since PostgreSQL's own
 * text and JSON take no NUL character, and a letter must come back as it was. `fingerprint` is the same for the same letter.
 */
export type DiscardedLettersTable = {
  id: string
  fingerprint: string
  service: string
  message_id: string
  type: string
  content_type: string | null
  headers: Buffer
  content: Buffer
  reason: string
  discarded_by: string
  discarded_at: Timestamp
  restored_by: string | null
  restored_at: NullableTimestamp
}
