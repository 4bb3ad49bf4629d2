import { PermanentError } from '@gatehouse/messages'
import { GrowingBuffer } from './growing-buffer.ts'

/** objectId (8), fragmentId (8), flags (1), length (4): [MS-PSRP] 2.2.4. */
export const FRAGMENT_HEADER_BYTES = 21
const START = 1
const END = 2

/** Cuts one message into fragments of at most `fragmentBytesMax` bytes, header included. */
export function cutIntoFragments(objectId: number, message: Buffer, fragmentBytesMax: number): Buffer[] {
  const fragments: Buffer[] = []
  let offset = 0
  do {
    const length = Math.min(message.length - offset, fragmentBytesMax - FRAGMENT_HEADER_BYTES)
    fragments.push(writeFragment({ objectId, fragmentId: fragments.length, message, offset, length }))
    offset += length
  } while (offset < message.length)
  return fragments
}

function writeFragment(part: {
  objectId: number
  fragmentId: number
  message: Buffer
  offset: number
  length: number
}): Buffer {
  const bytes = Buffer.allocUnsafe(FRAGMENT_HEADER_BYTES + part.length)
  writeFragmentHeader(bytes, 0, { ...part, isEnd: part.offset + part.length >= part.message.length })
  part.message.copy(bytes, FRAGMENT_HEADER_BYTES, part.offset, part.offset + part.length)
  return bytes
}

/** Writes the 21 header bytes of one fragment. Ids are safe integers. */
export function writeFragmentHeader(
  target: Buffer,
  at: number,
  fragment: { objectId: number; fragmentId: number; length: number; isEnd: boolean },
): void {
  target.writeUInt32BE(Math.floor(fragment.objectId / 0x1_0000_0000), at)
  target.writeUInt32BE(fragment.objectId >>> 0, at + 4)
  target.writeUInt32BE(Math.floor(fragment.fragmentId / 0x1_0000_0000), at + 8)
  target.writeUInt32BE(fragment.fragmentId >>> 0, at + 12)
  target[at + 16] = (fragment.fragmentId === 0 ? START : 0) | (fragment.isEnd ? END : 0)
  target.writeUInt32BE(fragment.length, at + 17)
}

export type AssemblerLimits = {
  /** The largest fragment body accepted; a longer length in a header is refused before its bytes arrive. */
  readonly fragmentBytesMax: number
  /** Of one object, and of all that are half received together. */
  readonly objectBytesMax: number
  /** How many objects may be half received at once, interleaved. */
  readonly openObjectsMax: number
}

export const DEFAULT_ASSEMBLER_LIMITS: AssemblerLimits = {
  fragmentBytesMax: 4 * 1024 * 1024,
  objectBytesMax: 32 * 1024 * 1024,
  openObjectsMax: 64,
}

type OpenObject = { readonly content: GrowingBuffer; nextFragmentId: number }

/**
 * Puts fragments back together. One assembler per stream: it keeps an incomplete fragment until the rest arrives. Throws
 * PermanentError('psrp-malformed' | 'psrp-object-too-large') for what breaks the rules of [MS-PSRP] 2.2.4, after which it
 * must not be used again.
 */
export class FragmentAssembler {
  private readonly limits: AssemblerLimits
  private readonly open = new Map<number | bigint, OpenObject>()
  /** Of all open objects. */
  private openBytes = 0
  /** The beginning of a fragment, and how many bytes must be there before it is worth another look. */
  private rest: GrowingBuffer | undefined
  private restNeeded = 0

  constructor(limits: AssemblerLimits = DEFAULT_ASSEMBLER_LIMITS) {
    this.limits = limits
  }

  /** True between messages: nothing is half received. */
  get isEmpty(): boolean {
    return this.open.size === 0 && this.rest === undefined
  }

  /** Takes bytes and gives the messages they complete. A message may share memory with `bytes`. */
  receive(bytes: Uint8Array): Buffer[] {
    let buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.rest !== undefined) {
      this.rest.append(bytes)
      if (this.rest.length < this.restNeeded) return []
      buffer = this.rest.view()
      this.rest = undefined
    }
    const messages: Buffer[] = []
    let offset = 0
    let needed = FRAGMENT_HEADER_BYTES
    while (buffer.length - offset >= FRAGMENT_HEADER_BYTES) {
      const length = buffer.readUInt32BE(offset + 17)
      if (length > this.limits.fragmentBytesMax) throw malformed(`a fragment of ${length} bytes`)
      const end = offset + FRAGMENT_HEADER_BYTES + length
      needed = end - offset
      if (end > buffer.length) break
      const message = this.takeFragment(buffer, offset, end)
      if (message !== undefined) messages.push(message)
      offset = end
      needed = FRAGMENT_HEADER_BYTES
    }
    if (offset < buffer.length) this.keep(buffer.subarray(offset), needed)
    return messages
  }

  /** Copies: what is kept must not hold the whole response in memory. */
  private keep(rest: Buffer, needed: number): void {
    this.rest = new GrowingBuffer()
    this.rest.append(rest)
    this.restNeeded = needed
  }

  private takeFragment(buffer: Buffer, offset: number, end: number): Buffer | undefined {
    const flags = buffer[offset + 16] ?? 0
    if (flags > (START | END)) throw malformed('unknown fragment flags')
    const isStart = (flags & START) !== 0
    const isEnd = (flags & END) !== 0
    const body = buffer.subarray(offset + FRAGMENT_HEADER_BYTES, end)
    const objectId = readId(buffer, offset)
    const fragmentId = readId(buffer, offset + 8)
    if (isStart) {
      if (fragmentId !== 0) throw malformed('a first fragment whose number is not 0')
      if (this.open.has(objectId)) throw malformed('an object that begins twice')
      if (isEnd) return body
      if (this.open.size >= this.limits.openObjectsMax) throw malformed('too many interleaved objects')
      this.open.set(objectId, { content: new GrowingBuffer(), nextFragmentId: 0 })
    }
    const object = this.open.get(objectId)
    if (object === undefined) throw malformed('a fragment of an object that never began')
    if (fragmentId !== object.nextFragmentId) throw malformed('a fragment out of order')
    return this.append(objectId, object, body, isEnd)
  }

  private append(objectId: number | bigint, object: OpenObject, body: Buffer, isEnd: boolean): Buffer | undefined {
    this.openBytes += body.length
    object.nextFragmentId++
    if (this.openBytes > this.limits.objectBytesMax) {
      throw new PermanentError('psrp-object-too-large', `One object is larger than ${this.limits.objectBytesMax} bytes`)
    }
    object.content.append(body)
    if (!isEnd) return undefined
    this.open.delete(objectId)
    this.openBytes -= object.content.length
    return object.content.view()
  }
}

function readId(buffer: Buffer, offset: number): number | bigint {
  const high = buffer.readUInt32BE(offset)
  return high < 0x20_0000 ? high * 0x1_0000_0000 + buffer.readUInt32BE(offset + 4) : buffer.readBigUInt64BE(offset)
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `PSRP fragments cannot be read: ${what}`)
}
