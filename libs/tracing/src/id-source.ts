import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4_096
const TRACE_BYTES = 16
const SPAN_BYTES = 8

/** Gives trace and span ids: random, in lower-case hexadecimal, never all zero. Random bytes are drawn for many at once. */
export class IdSource {
  private readonly pool = Buffer.alloc(POOL_BYTES)
  private readonly fill: (bytes: Buffer) => void
  private used = POOL_BYTES

  constructor(fill: (bytes: Buffer) => void = randomFillSync) {
    this.fill = fill
  }

  traceId(): string {
    return this.take(TRACE_BYTES)
  }

  spanId(): string {
    return this.take(SPAN_BYTES)
  }

  private take(bytes: number): string {
    if (this.used + bytes > POOL_BYTES) {
      this.fill(this.pool)
      this.used = 0
    }
    const from = this.used
    this.used += bytes
    // An id that is all zero is invalid; one in 2⁶⁴ would be.
    this.pool[from] ||= 1
    return this.pool.toString('hex', from, this.used)
  }
}
