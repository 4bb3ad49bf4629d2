import type { DeadLetter } from '@gatehouse/broker'
import { codeOf } from './dead-letter-filter.ts'

export type DeadLetterGroup = {
  readonly service: string
  readonly errorClass: string
  readonly code: string
  readonly type: string
  count: number
  oldest: string | undefined
  newest: string | undefined
  /** One of them. */
  readonly sample: { readonly id: string; readonly errorMessage: string | undefined; readonly attempts: number }
}

/** Codes and types may come from anybody who can publish: beyond this many kinds, letters are counted together. */
const GROUPS_MAX = 500
const OTHER = '(other)'

/** Counts letters by what they have in common, so that a person decides about causes and not about messages. */
export class DeadLetterGroups {
  readonly #groups = new Map<string, DeadLetterGroup>()

  add(letter: DeadLetter): void {
    const { service, type, errorClass = '' } = letter
    const group = this.#group(letter, { service, errorClass, code: codeOf(letter), type })
    group.count += 1
    const at = letter.deadAt ?? letter.firstFailedAt
    if (at === undefined) return
    if (group.oldest === undefined || at < group.oldest) group.oldest = at
    if (group.newest === undefined || at > group.newest) group.newest = at
  }

  /** The largest first. */
  list(): DeadLetterGroup[] {
    return [...this.#groups.values()].sort((one, other) => other.count - one.count)
  }

  #group(letter: DeadLetter, kind: Pick<DeadLetterGroup, 'service' | 'errorClass' | 'code' | 'type'>): DeadLetterGroup {
    const isKnown = this.#groups.has(keyOf(kind))
    const shown = isKnown || this.#groups.size < GROUPS_MAX ? kind : { ...kind, errorClass: OTHER, code: OTHER, type: OTHER }
    const key = keyOf(shown)
    const existing = this.#groups.get(key)
    if (existing !== undefined) return existing
    const sample = { id: letter.key, errorMessage: letter.errorMessage, attempts: letter.attempts }
    const group = { ...shown, count: 0, oldest: undefined, newest: undefined, sample }
    this.#groups.set(key, group)
    return group
  }
}

function keyOf({ service, errorClass, code, type }: Pick<DeadLetterGroup, 'service' | 'errorClass' | 'code' | 'type'>): string {
  return JSON.stringify([service, errorClass, code, type])
}
