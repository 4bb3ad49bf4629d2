import { PermanentError } from '@gatehouse/messages'
import type { DevicesDelta, ManagedDevice } from './graph.ts'

const AGE_MS_MAX = 30 * 60_000
const KEYS_MAX = 20_000

export type DeltaRound = {
  readonly delta: DevicesDelta
  /** User ids by Entra device id, lower case. */
  readonly usersOfDevice: Map<string, readonly string[]>
  /** Managed devices by user id, lower case. */
  readonly devicesOfUser: Map<string, readonly ManagedDevice[]>
}

export type DeltaRounds = ReturnType<typeof createDeltaRounds>

/**
 * Keeps one look at the change feed and what was read because of it, so that a throttled one goes on. The feed's own answer is
 * kept along with it: were it read anew, a device that changed in between would be answered from before its change.
 */
export function createDeltaRounds(now: () => number = () => performance.now()) {
  let round: (DeltaRound & { link: string; startedAt: number; isInterrupted: boolean }) | undefined

  return {
    /** The answer of this link, if a read that followed it was interrupted. */
    resume(link: string): DevicesDelta | undefined {
      if (round?.link === link && round.isInterrupted && now() - round.startedAt <= AGE_MS_MAX) {
        round.isInterrupted = false
        return round.delta
      }
      round = undefined
      return undefined
    },
    begin(link: string, startedAt: number, delta: DevicesDelta): void {
      round = { link, delta, startedAt, isInterrupted: false, usersOfDevice: new Map(), devicesOfUser: new Map() }
    },
    /** Runs a read that may use and add to what is kept. */
    async read<T>(run: (kept: Pick<DeltaRound, 'usersOfDevice' | 'devicesOfUser'>) => Promise<T>, isLast: boolean): Promise<T> {
      const mine = round
      const kept = mine ?? { usersOfDevice: new Map(), devicesOfUser: new Map() }
      try {
        const result = await run(kept)
        if (isLast && round === mine) round = undefined
        return result
      } catch (error) {
        const isTooMuch = kept.usersOfDevice.size + kept.devicesOfUser.size > KEYS_MAX
        if (round === mine && (isTooMuch || error instanceof PermanentError)) round = undefined
        else if (mine !== undefined) mine.isInterrupted = true
        throw error
      }
    },
  }
}
