import { FRAGMENT_HEADER_BYTES, writeFragmentHeader } from './fragments.ts'

/** Below this much room a message is not begun: it waits for the next response rather than being cut into crumbs. */
const ROOM_WORTH_USING = 512

/**
 * The messages waiting for one stream, cut into fragments only when taken, for only then is the size of the response known.
 * Messages may come from an iterator, so that a long result is never encoded all at once.
 */
export class OutgoingQueue {
  private readonly sources: (Buffer | Iterator<Buffer>)[] = []
  private current: Buffer | undefined
  private objectId = 0
  private fragmentId = 0
  private offset = 0
  private readonly nextObjectId: () => number

  constructor(nextObjectId: () => number) {
    this.nextObjectId = nextObjectId
  }

  push(source: Buffer | Iterator<Buffer>): void {
    this.sources.push(source)
  }

  get isEmpty(): boolean {
    return !this.fill()
  }

  /** Whole fragments, at most `maxBytes` of them. */
  take(maxBytes: number): Buffer {
    if (maxBytes < 64) throw new RangeError('take() needs room for 64 bytes')
    const chunks: Buffer[] = []
    let used = 0
    while (this.fill() && this.current !== undefined) {
      const remaining = this.current.length - this.offset
      const room = maxBytes - used - FRAGMENT_HEADER_BYTES
      if (room < remaining && used > 0 && room < ROOM_WORTH_USING) break
      const length = Math.min(room, remaining)
      this.cut(chunks, length, remaining)
      used += FRAGMENT_HEADER_BYTES + length
    }
    return Buffer.concat(chunks, used)
  }

  private cut(chunks: Buffer[], length: number, remaining: number): void {
    const { current } = this
    if (current === undefined) return
    const header = Buffer.allocUnsafe(FRAGMENT_HEADER_BYTES)
    const isEnd = length === remaining
    writeFragmentHeader(header, 0, { objectId: this.objectId, fragmentId: this.fragmentId, length, isEnd })
    chunks.push(header, current.subarray(this.offset, this.offset + length))
    this.offset += length
    this.fragmentId++
    if (isEnd) this.current = undefined
  }

  /** Makes the next message current unless one is. False when there is none. */
  private fill(): boolean {
    while (this.current === undefined) {
      const source = this.sources[0]
      if (source === undefined) return false
      if (Buffer.isBuffer(source)) {
        this.begin(source)
        this.sources.shift()
        continue
      }
      const next = source.next()
      if (next.done === true) this.sources.shift()
      else this.begin(next.value)
    }
    return true
  }

  private begin(message: Buffer): void {
    this.current = message
    this.objectId = this.nextObjectId()
    this.fragmentId = 0
    this.offset = 0
  }
}
