import { PermanentError } from '@gatehouse/messages'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutIntoFragments, FragmentAssembler } from './fragments.ts'

const limits = { fragmentBytesMax: 1_000, objectBytesMax: 3_000, openObjectsMax: 3 }

function header(o: { objectId?: bigint; fragmentId?: bigint; flags: number; length: number }): Buffer {
  const bytes = Buffer.alloc(21)
  bytes.writeBigUInt64BE(o.objectId ?? 1n, 0)
  bytes.writeBigUInt64BE(o.fragmentId ?? 0n, 8)
  bytes[16] = o.flags
  bytes.writeUInt32BE(o.length, 17)
  return bytes
}

describe('fragments', () => {
  test('come back together however they are cut, in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 500 }),
        fc.integer({ min: 22, max: 200 }),
        fc.integer({ min: 1, max: 300 }),
        (body, fragmentBytes, pieceBytes) => {
          const bytes = Buffer.concat(cutIntoFragments(7, Buffer.from(body), fragmentBytes))
          const assembler = new FragmentAssembler(limits)
          const messages: Buffer[] = []

          for (let at = 0; at < bytes.length; at += pieceBytes)
            messages.push(...assembler.receive(bytes.subarray(at, at + pieceBytes)))

          expect(messages.map((message) => message.toString('hex'))).toEqual([Buffer.from(body).toString('hex')])
          expect(assembler.isEmpty).toBe(true)
        },
      ),
    )
  })

  test('of different objects may be interleaved', () => {
    const a = cutIntoFragments(1, Buffer.from('aaaaaaaaaa'), 26)
    const b = cutIntoFragments(2, Buffer.from('bbbbbbbbbb'), 26)

    const messages = new FragmentAssembler(limits).receive(
      Buffer.concat([a[0], b[0], b[1], a[1]].filter((part) => part !== undefined)),
    )

    expect(messages.map(String)).toEqual(['bbbbbbbbbb', 'aaaaaaaaaa'])
  })

  test('that are truncated leave the assembler not empty', () => {
    const assembler = new FragmentAssembler(limits)
    const bytes = Buffer.concat(cutIntoFragments(1, Buffer.from('abc'), 100))

    expect(assembler.receive(bytes.subarray(0, -1))).toEqual([])
    expect(assembler.isEmpty).toBe(false)
  })

  test('of objects whose ids need all 64 bits are told apart', () => {
    const assembler = new FragmentAssembler(limits)
    const id = 2n ** 64n - 1n
    const bytes = [id, id - 1n].map((objectId) => Buffer.concat([header({ objectId, flags: 1, length: 1 }), Buffer.from('a')]))
    const end = Buffer.concat([header({ objectId: id, fragmentId: 1n, flags: 2, length: 1 }), Buffer.from('b')])

    expect(assembler.receive(Buffer.concat([...bytes, end])).map(String)).toEqual(['ab'])
  })

  test.each([
    ['a length of 4 GB', header({ flags: 3, length: 0xffff_ffff })],
    ['a length just beyond the limit', header({ flags: 3, length: 1_001 })],
    ['unknown flags', header({ flags: 4, length: 0 })],
    ['a middle fragment of an unknown object', header({ fragmentId: 1n, flags: 0, length: 0 })],
    ['a first fragment whose number is 1', header({ fragmentId: 1n, flags: 1, length: 0 })],
    ['an object that begins twice', Buffer.concat([header({ flags: 1, length: 0 }), header({ flags: 1, length: 0 })])],
    ['a gap', Buffer.concat([header({ flags: 1, length: 0 }), header({ fragmentId: 2n, flags: 0, length: 0 })])],
    ['too many open objects', Buffer.concat([1n, 2n, 3n, 4n].map((objectId) => header({ objectId, flags: 1, length: 0 })))],
  ])('with %s are refused', (_what, bytes) => {
    expect(() => new FragmentAssembler(limits).receive(bytes)).toThrow(PermanentError)
  })

  test('of an object that grows beyond the limit are refused before it is whole', () => {
    const assembler = new FragmentAssembler(limits)
    const part = (fragmentId: bigint) =>
      Buffer.concat([header({ fragmentId, flags: fragmentId === 0n ? 1 : 0, length: 1_000 }), Buffer.alloc(1_000)])

    for (const fragmentId of [0n, 1n, 2n]) assembler.receive(part(fragmentId))

    expect(() => assembler.receive(part(3n))).toThrow(expect.objectContaining({ code: 'psrp-object-too-large' }))
  })

  test('of several objects are refused when all that is half there is too much together', () => {
    const assembler = new FragmentAssembler(limits)
    const part = (objectId: bigint, fragmentId: bigint) =>
      Buffer.concat([header({ objectId, fragmentId, flags: fragmentId === 0n ? 1 : 0, length: 1_000 }), Buffer.alloc(1_000)])

    for (const id of [1n, 2n, 3n]) assembler.receive(part(id, 0n))

    expect(() => assembler.receive(part(1n, 1n))).toThrow(expect.objectContaining({ code: 'psrp-object-too-large' }))
  })

  test('leave room for others when their object is whole', () => {
    const assembler = new FragmentAssembler(limits)
    const whole = Buffer.concat(cutIntoFragments(1, Buffer.alloc(2_900, 1), 500))

    const messages = [1, 2, 3, 4].flatMap(() => assembler.receive(whole))

    expect(messages.map((message) => message.length)).toEqual([2_900, 2_900, 2_900, 2_900])
  })

  test('may be empty or of one byte, as many as there are', () => {
    const assembler = new FragmentAssembler(limits)
    const parts = [header({ flags: 1, length: 0 })]
    for (let n = 1n; n <= 3_000n; n++) {
      const isFull = n % 2n === 0n
      parts.push(
        header({ fragmentId: n, flags: n === 3_000n ? 2 : 0, length: isFull ? 1 : 0 }),
        Buffer.alloc(isFull ? 1 : 0, 7),
      )
    }

    const messages = assembler.receive(Buffer.concat(parts))

    expect(messages.map(String)).toEqual(['\u0007'.repeat(1_500)])
  })

  test('of a megabyte in pieces of 16 bytes take no longer than their bytes', () => {
    const assembler = new FragmentAssembler()
    const [bytes = Buffer.alloc(0)] = cutIntoFragments(1, Buffer.alloc(2 * 1024 * 1024, 'x'), 4 * 1024 * 1024)
    let length = 0

    for (let at = 0; at < bytes.length; at += 16)
      for (const message of assembler.receive(bytes.subarray(at, at + 16))) length += message.length

    expect(length).toBe(2 * 1024 * 1024)
  })
})
