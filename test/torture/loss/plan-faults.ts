import { WORKER_NAMES, type WorkerName } from '@gatehouse/cli/system'
import { createSeededRandom, type SeededRandom } from '@gatehouse/simulators'
import type { Direction } from '../../environment/cuttable-proxy.ts'

/** `broker-…` and `database-…` beside a restart strike the connections of the victim to it. */
export const FAULT_KINDS = [
  'worker-killed',
  'broker-half-open',
  'database-half-open',
  'broker-killed',
  'worker-frozen',
  'database-terminated',
  'broker-reset',
  'broker-restarted',
  'database-reset',
  'database-away',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** What one copy lets go of, the other takes up at once, while the first may still be at it. */
export const COPIES: Partial<Record<WorkerName, number>> = { enforcement: 2, notification: 2 }

/** The processes: `name`, or `name#2` for a second copy. */
export const PROCESSES = WORKER_NAMES.flatMap((name) => (COPIES[name] === 2 ? [name, `${name}#2`] : [name]))

export type Fault = {
  readonly kind: FaultKind
  /** A process; for connections a worker, with all its copies, or `all`. */
  readonly victim: string
  /** Due when the first sync has come this far, from 0 to 1. */
  readonly at: number
  /** Of a frozen worker, a database out of reach, and half-open connections; absent: these are left to whoever notices them. */
  readonly forMs?: number
  readonly direction?: Direction
}

export type FaultsWanted = { readonly seed: number; readonly faults: number; readonly longestMs: number }

/** The run must have begun, with its first decision, before anything is struck that we ask for it. */
const FIRST_AT = 0.001
/** The last faults must still find something to be done. */
const LAST_AT = 0.9
const SHORT_MS = { least: 1_000, most: 10_000 }
const DIRECTIONS = ['both', 'toServer', 'toClient'] as const

/** The faults of a run in the order of their moments: the same for the same wish. Each kind, and each process, gets its turn. */
export function planFaults({ seed, faults, longestMs }: FaultsWanted): Fault[] {
  const random = createSeededRandom(seed)
  // A killed worker is what happens most: a deployment is five of them.
  const kinds = dealer<FaultKind>([...FAULT_KINDS, 'worker-killed'], random)
  const victims = dealer(WORKER_NAMES, random)
  const killed = dealer(PROCESSES, random)
  const frozen = dealer(PROCESSES, random)
  const directions = dealer(DIRECTIONS, random)
  return Array.from({ length: faults }, (_, index) => {
    const at = FIRST_AT + ((index + random.next()) / faults) * (LAST_AT - FIRST_AT)
    const moment = { at: Math.round(at * 1_000) / 1_000 }
    const kind = kinds()
    switch (kind) {
      case 'worker-killed':
        return { kind, victim: killed(), ...moment }
      case 'worker-frozen':
        return { kind, victim: frozen(), ...moment, forMs: lengthOf(random, longestMs) }
      case 'broker-killed':
      case 'broker-restarted':
      case 'database-terminated':
        return { kind, victim: 'all', ...moment }
      case 'database-away':
        return { kind, victim: 'all', ...moment, forMs: lengthOf(random, Math.min(longestMs, AWAY_MS_MAX)) }
      case 'broker-reset':
      case 'database-reset':
        return { kind, victim: random.chance(0.3) ? 'all' : victims(), ...moment }
      case 'broker-half-open':
      case 'database-half-open':
        return {
          kind,
          victim: random.chance(0.3) ? 'all' : victims(),
          ...moment,
          direction: directions(),
          ...(random.chance(0.5) && longestMs >= UNNOTICED_MS ? {} : { forMs: lengthOf(random, longestMs) }),
        }
      default: {
        const never: never = kind
        return never
      }
    }
  })
}

const AWAY_MS_MAX = 20_000
/** Longer than it takes either side to miss heartbeats of 20 s. */
const UNNOTICED_MS = 45_000

/** Mostly a hiccup; one in three lasts, past the heartbeat where the run has the time for it. */
function lengthOf(random: SeededRandom, longestMs: number): number {
  const most = random.chance(1 / 3) ? longestMs : Math.min(SHORT_MS.most, longestMs)
  const least = most > UNNOTICED_MS ? UNNOTICED_MS : SHORT_MS.least
  return Math.round(least + random.next() * (most - least))
}

/** Deals a shuffled deck of the items, again and again. */
function dealer<T>(items: readonly T[], random: SeededRandom): () => T {
  let deck: T[] = []
  return () => {
    if (deck.length === 0) deck = random.shuffle([...items])
    return deck.pop() as T
  }
}
