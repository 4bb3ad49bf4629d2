import { createHash } from 'node:crypto'
import { type DeadLetter, planReplay, type ServiceName } from '@gatehouse/broker'
import type { Lane } from '@gatehouse/messages'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { type DeadLetterFilter, matcherOf, sourcesOf } from './dead-letter-filter.ts'
import { type DeadLetterGroup, DeadLetterGroups } from './group-dead-letters.ts'
import { lookThrough } from './look-through.ts'

export type SelectOptions = {
  readonly filter: DeadLetterFilter
  /** Take no more than this many, the oldest first. */
  readonly max?: number | undefined
  /** Select only what can be sent again, to its origin or to there. */
  readonly forReplay?: { readonly to: { service: ServiceName; lane: Lane } | undefined } | undefined
}

export type RefusedLetter = { readonly id: string; readonly service: string; readonly code: string; readonly why: string }

export type Selection = {
  /** The keys of the letters, by service; a key as often as there are letters of it. */
  readonly keys: Readonly<Record<string, readonly string[]>>
  readonly count: number
  /** The same for the same letters, so that a person executes what was shown and nothing else. */
  readonly hash: string
  readonly groups: readonly DeadLetterGroup[]
  /** Where they would go: the queues and how many each would get. */
  readonly targets: readonly { readonly queue: string; readonly count: number }[]
  /** Meant by the filter, but not sendable; the first hundred are told. */
  readonly refused: { readonly count: number; readonly samples: readonly RefusedLetter[] }
}

const REFUSED_SHOWN_MAX = 100
const WHY_CHARACTERS_MAX = 500

/** Finds the letters that are meant and leaves them where they are. */
export async function selectLetters(
  options: SelectOptions,
  deps: Pick<DeadLetterDeps, 'broker' | 'locks'>,
  signal: AbortSignal,
): Promise<Selection> {
  const { filter, max = Number.MAX_SAFE_INTEGER, forReplay } = options
  const isMeant = matcherOf(filter)
  const found = new Found()
  for (const source of sourcesOf(filter)) {
    const see = (letter: DeadLetter): 'leave' | 'stop' => {
      if (isMeant(letter)) {
        if (forReplay === undefined) found.take(letter, [])
        else found.judge(letter, forReplay.to)
      }
      return found.count < max ? 'leave' : 'stop'
    }
    if (found.count < max) await lookThrough(source, see, deps, signal)
  }
  return found.selection()
}

class Found {
  count = 0
  readonly #keys: Record<string, string[]> = {}
  readonly #groups = new DeadLetterGroups()
  readonly #targets = new Map<string, number>()
  readonly #refused: RefusedLetter[] = []
  #refusedCount = 0

  judge(letter: DeadLetter, to: { service: ServiceName; lane: Lane } | undefined): void {
    const plan = planReplay(letter, { replayId: '', to })
    if (plan.kind === 'send') {
      this.take(letter, plan.queues)
      return
    }
    this.#refusedCount += 1
    if (this.#refused.length >= REFUSED_SHOWN_MAX) return
    const why = plan.why.slice(0, WHY_CHARACTERS_MAX)
    this.#refused.push({ id: letter.key, service: letter.service, code: plan.code, why })
  }

  take(letter: DeadLetter, queues: readonly string[]): void {
    this.count += 1
    this.#groups.add(letter)
    const keys = this.#keys[letter.service] ?? []
    keys.push(letter.key)
    this.#keys[letter.service] = keys
    for (const queue of queues) this.#targets.set(queue, (this.#targets.get(queue) ?? 0) + 1)
  }

  selection(): Selection {
    return {
      keys: this.#keys,
      count: this.count,
      hash: hashOf(this.#keys),
      groups: this.#groups.list(),
      targets: [...this.#targets].map(([queue, count]) => ({ queue, count })),
      refused: { count: this.#refusedCount, samples: this.#refused },
    }
  }
}

function hashOf(keys: Record<string, string[]>): string {
  const hash = createHash('sha256')
  for (const service of Object.keys(keys).sort())
    for (const key of (keys[service] ?? []).toSorted()) hash.update(`${service}\n${key}\n`)
  return hash.digest('hex').slice(0, 16)
}
