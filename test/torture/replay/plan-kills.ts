import { createSeededRandom } from '@gatehouse/simulators'

export type Kill = {
  readonly victim: 'replayer' | 'broker'
  /** When so many messages have taken effect. */
  readonly at: number
}

/** Nothing is left to be killed after this part of the work. */
const LAST_PART = 0.95

/** Who is killed when, in the order of the work: the same for the same seed. */
export function planKills(options: { seed: number; replayers: number; brokers: number; effects: number }): Kill[] {
  const random = createSeededRandom(options.seed)
  const moment = (): number => Math.floor(random.next() * options.effects * LAST_PART)
  const killsOf = (victim: Kill['victim'], count: number): Kill[] =>
    Array.from({ length: count }, () => ({ victim, at: moment() }))
  return [...killsOf('replayer', options.replayers), ...killsOf('broker', options.brokers)].sort((a, b) => a.at - b.at)
}
