/** What a pool counts of itself, whichever engine it belongs to. */
export function createPoolCounts() {
  return {
    mostShells: 0,
    shellsOpened: 0,
    shellsLost: 0,
    openingsFailed: 0,
    openingsRefused: 0,
    invoked: 0,
    pausedMs: 0,
  }
}
