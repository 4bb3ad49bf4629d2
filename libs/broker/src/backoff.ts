/** Full jitter: a random delay between 0 and min(cap, base × 2ⁿ⁻¹), so that those who failed together do not return together. */
export function fullJitterMs(attempt: number, options: { baseMs: number; capMs: number; random: () => number }): number {
  const ceilingMs = Math.min(options.capMs, options.baseMs * 2 ** Math.min(Math.max(attempt - 1, 0), 30))
  return Math.round(options.random() * ceilingMs)
}
