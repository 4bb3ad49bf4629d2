const SHRUNK_FROM = 10
const KEPT_SHARE_MIN = 0.5

/** Whether a list is so much smaller than at the last look that it must be a fault rather than the truth. */
export function isListShrunk(counts: { before: number; now: number }): boolean {
  return counts.before >= SHRUNK_FROM && counts.now < counts.before * KEPT_SHARE_MIN
}

/** Whether a sharply smaller list is about the one that was refused before: two answers agree, so it is the truth after all. */
export function isShrinkConfirmed(counts: { refused: number | undefined; now: number }): boolean {
  return counts.refused !== undefined && Math.abs(counts.refused - counts.now) <= Math.max(1, counts.refused * 0.1)
}
