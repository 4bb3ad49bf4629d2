const upperAlphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const lowerHex = '0123456789abcdef'
const scratch = Buffer.alloc(64)

export type SeededRandom = ReturnType<typeof createSeededRandom>

/** A small repeatable generator (mulberry32): good enough to invent people, not for secrets. */
export function createSeededRandom(seed: number) {
  let state = seed | 0

  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  function below(limit: number): number {
    return Math.floor(next() * limit)
  }
  function pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[below(items.length)] as T
  }
  // Bytes first, one string at the end: ids are most of what a population is made of.
  function text(alphabet: string, length: number): string {
    for (let index = 0; index < length; index += 1) scratch[index] = alphabet.charCodeAt(below(alphabet.length))
    return scratch.toString('latin1', 0, length)
  }
  function guid(): string {
    for (let index = 0; index < 36; index += 1) scratch[index] = lowerHex.charCodeAt(next() * 16)
    for (const dash of [8, 13, 18, 23]) scratch[dash] = 45
    scratch[14] = 52 // version 4
    scratch[19] = '89ab'.charCodeAt(below(4))
    return scratch.toString('latin1', 0, 36)
  }
  function shuffle<T>(items: T[]): T[] {
    for (let index = items.length - 1; index > 0; index -= 1) {
      const other = below(index + 1)
      const held = items[index] as T
      items[index] = items[other] as T
      items[other] = held
    }
    return items
  }

  return {
    next,
    below,
    pick,
    shuffle,
    chance: (share: number) => next() < share,
    upperAlphanumeric: (length: number) => text(upperAlphanumeric, length),
    hex: (length: number) => text(lowerHex, length),
    digits: (length: number) => text('0123456789', length),
    guid,
  }
}
