/**
 * How many milliseconds our clock is ahead of another (negative: behind), as far as one question can tell: half of the time it
 * took is taken off, since nobody knows when on the way the other looked.
 */
export async function measureClockSkew(readOther: () => Promise<Date>, nowMs: () => number): Promise<number> {
  const askedMs = nowMs()
  const otherMs = (await readOther()).getTime()
  const answeredMs = nowMs()
  const skewMs = (askedMs + answeredMs) / 2 - otherMs
  return Math.sign(skewMs) * Math.max(0, Math.abs(skewMs) - Math.abs(answeredMs - askedMs) / 2)
}
