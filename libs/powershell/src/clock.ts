/** Time, handed in so that tests can drive it. `setTimeout` answers with what cancels it. */
export type Clock = { now(): number; setTimeout(run: () => void, ms: number): () => void }

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
