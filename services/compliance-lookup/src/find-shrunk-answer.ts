/** Below this many, a few people leaving looks like a collapse. */
const COUNT_MIN = 20

/**
 * Names what a full refresh lists far fewer of than the last one: Graph sometimes leaves rows or whole pages out, and an empty
 * answer must not look like everybody's unenrolment.
 */
export function findShrunkAnswer(
  last: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
  shrinkPercentMax: number,
): string | undefined {
  // No tenant that asks for this manages nothing; it would be everybody's unenrolment, even at the very first read.
  if (now['managedDevices'] === 0) return 'Graph lists no managed device at all'
  for (const [what, before] of Object.entries(last)) {
    const count = now[what]
    if (count === undefined || before < COUNT_MIN) continue
    if (count < before * (1 - shrinkPercentMax / 100) || count === 0)
      return `Graph lists ${count} ${what}, the last complete read listed ${before}`
  }
  return undefined
}
