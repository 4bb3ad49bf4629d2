import { LANES, type Lane } from '@gatehouse/messages'
import type { ServiceName } from './service-names.ts'
import { RETRY_OUT } from './topology-names.ts'

/**
 * A delay is a binary number of steps. Each level is a queue whose messages live 2ⁿ steps and then fall to the next lower
 * level; a level whose bit is 0 is passed by at once. So any delay is possible, nothing waits behind a longer one (a queue
 * has one TTL), and no plugin is needed. The design is that of NServiceBus; see docs.particular.net, "delayed delivery".
 */
export const LADDER_LEVELS = 14
export const LADDER_STEP_MS = 250
export const LADDER_DELAY_MS_MAX = (2 ** LADDER_LEVELS - 1) * LADDER_STEP_MS

/** The exchange, and the queue, of a level: 0 is the shortest. */
export function ladderLevelName(level: number): string {
  return `gh.retry.l${String(level).padStart(2, '0')}`
}

/** Tells how the topology routes out of the level: `1` into its queue, `0` on to the next lower level. */
export function ladderPattern(level: number, bit: '0' | '1'): string {
  return [...Array<string>(LADDER_LEVELS - 1 - level).fill('*'), bit, '#'].join('.')
}

/** The pattern by which a message that has waited leaves the ladder for the due queue of its service and lane. */
export function ladderExitPattern(service: ServiceName, lane: Lane): string {
  return [...Array<string>(LADDER_LEVELS).fill('*'), lane, service].join('.')
}

/**
 * Where to publish a message that `service` is to see again after `delayMs`. Rounded up to a whole step, never early;
 * clamped to the 68 minutes the ladder reaches. 0 goes through without waiting.
 */
export function ladderRoute(
  delayMs: number,
  to: { service: ServiceName; lane: Lane },
): { exchange: string; routingKey: string; delayMs: number } {
  const clampedMs = delayMs > 0 ? Math.min(delayMs, LADDER_DELAY_MS_MAX) : 0
  const steps = Math.ceil(clampedMs / LADDER_STEP_MS)
  const bits = steps.toString(2).padStart(LADDER_LEVELS, '0')
  // Entering at the highest level that is used saves the hops through those above it.
  return {
    exchange: ladderLevelName(ladderLevelOf(clampedMs)),
    routingKey: `${bits.split('').join('.')}.${to.lane}.${to.service}`,
    delayMs: steps * LADDER_STEP_MS,
  }
}

/** The level at which a message with this delay enters. */
export function ladderLevelOf(delayMs: number): number {
  const steps = Math.ceil(Math.min(delayMs, LADDER_DELAY_MS_MAX) / LADDER_STEP_MS)
  return steps > 0 ? Math.floor(Math.log2(steps)) : 0
}

/** The routing keys a worker may use in the ladder: only its own way out. */
export function ladderKeyExpression(services: readonly ServiceName[]): string {
  return `^([01]\\.){${LADDER_LEVELS}}(${LANES.join('|')})\\.(${services.join('|')})$`
}

/** Exchange that a level hands its expired messages to. */
export function belowLadderLevel(level: number): string {
  return level === 0 ? RETRY_OUT : ladderLevelName(level - 1)
}
