import type { Outcome } from '@gatehouse/messages'
import type { Breaker, Pause } from './breaker.ts'

/** What messages cannot be handled without. A consumer takes nothing from its queues while one of its dependencies is paused. */
export interface Dependency {
  /** As an administrator knows it: `Graph`, `PostgreSQL`. */
  readonly name: string
  /** Undefined while it can be used. After `untilMs` one message may go first, to find out. */
  pause(): Pause | undefined
  /**
   * A handler threw. For how long its message waits, without having spent an attempt, when it is this dependency that failed;
   * undefined when it is not.
   */
  failed?(error: unknown): number | undefined
  /** A message that went first was answered so, or failed by something that is no dependency's fault (undefined). */
  probed?(outcome: Outcome | undefined): void
}

export type DependencyFailure = { readonly reason: string; readonly retryAfterMs?: number | undefined }

/**
 * A dependency whose failures show in what handlers throw. `judge` tells them from everything else that can go wrong; `isProof`
 * says which answers show that it works again, if not all of them do.
 */
export function createDependency(options: {
  name: string
  breaker: Breaker
  judge: (error: unknown) => DependencyFailure | undefined
  isProof?: (outcome: Outcome) => boolean
}): Dependency {
  const { name, breaker, judge, isProof } = options
  return {
    name,
    pause: () => breaker.pause,
    failed(error) {
      const failure = judge(error)
      if (failure === undefined) return undefined
      breaker.failed(failure.retryAfterMs, failure.reason)
      return breaker.waitMs()
    },
    probed(outcome) {
      if (outcome === undefined || isProof === undefined || isProof(outcome)) breaker.succeeded()
    },
  }
}

/**
 * Several of a kind, each for some of the messages: paused when all of them are, until the first may be tried again. Which
 * messages are for one that is paused alone, only their handlers know.
 */
export function createJointDependency(name: string, pauses: readonly (() => Pause | undefined)[]): Dependency {
  return {
    name,
    pause() {
      let joint: Pause | undefined
      for (const read of pauses) {
        const pause = read()
        if (pause === undefined) return undefined
        if (joint === undefined || pause.untilMs < joint.untilMs) joint = pause
      }
      return joint
    },
  }
}

export type Hold =
  | { readonly kind: 'none' }
  /** One message may go first. */
  | { readonly kind: 'halfOpen'; readonly name: string; readonly pause: Pause }
  | { readonly kind: 'held'; readonly name: string; readonly pause: Pause }

const NONE: Hold = { kind: 'none' }

/** Whether these dependencies let a consumer take messages now. */
export function readHold(dependencies: readonly Dependency[], nowMs: () => number): Hold {
  let last: { name: string; pause: Pause } | undefined
  for (const dependency of dependencies) {
    const pause = dependency.pause()
    if (pause !== undefined && (last === undefined || pause.untilMs > last.pause.untilMs))
      last = { name: dependency.name, pause }
  }
  if (last === undefined) return NONE
  return { kind: last.pause.untilMs > nowMs() ? 'held' : 'halfOpen', ...last }
}
