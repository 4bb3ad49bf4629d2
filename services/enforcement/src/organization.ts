import type { Breaker } from '@gatehouse/broker'
import type { ExchangeConnection } from './exchange-connection.ts'
import type { Turns } from './turns.ts'

/** One Exchange organisation as enforcement works on it. */
export type Organization = {
  readonly id: string
  readonly name: string
  readonly connection: ExchangeConnection
  /** While it is open the organisation's messages wait in the ladder; the other organisations' go on. */
  readonly breaker: Breaker
  /** A block waits so long for its notice; 0: it does not, or mail is off. */
  readonly noticeWaitMs: number
  /** The most messages of it in hand at once, so that a slow Exchange cannot take the slots of the others. */
  readonly inHandMax: number
  /** Shells it has when the account's budget is not shared. */
  readonly runspaces: number
  /** Takes note, for Prometheus, of what failed at its Exchange. */
  readonly noteFailure: (error: unknown) => void
  inHand: number
  readonly turns: Turns
  /** What a write takes lately, in milliseconds. */
  writeMs: number | undefined
}
