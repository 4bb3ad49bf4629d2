const BYTES_MIN = 1_024

/** Bytes that arrive in pieces of any size, copied: its memory is at most twice what it holds, and a byte is copied few times. */
export class GrowingBuffer {
  private bytes: Buffer = Buffer.alloc(0)
  private used = 0

  get length(): number {
    return this.used
  }

  append(piece: Uint8Array): void {
    const needed = this.used + piece.length
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2, BYTES_MIN))
      this.bytes.copy(grown, 0, 0, this.used)
      this.bytes = grown
    }
    this.bytes.set(piece, this.used)
    this.used = needed
  }

  /** What it holds, sharing its memory. */
  view(): Buffer {
    return this.bytes.subarray(0, this.used)
  }
}
