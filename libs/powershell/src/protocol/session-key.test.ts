import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { decodeClixml } from './clixml-decode.ts'
import { encodeClixml } from './clixml-encode.ts'
import { PsCredential } from './ps-credential.ts'
import type { PsObject } from './ps-data.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { SessionKey } from './session-key.ts'

const SECRET = 'correct horse 😀'
const client = new SessionKey()
const server = new SessionKey()
let publicKey = ''

beforeAll(async () => {
  publicKey = await client.createPublicKey()
  client.accept(server.answer(publicKey))
})

describe('a session key', () => {
  test('is asked for with a PUBLICKEYBLOB of 2048 bits and answered with a SIMPLEBLOB', () => {
    const asked = Buffer.from(publicKey, 'base64')
    const answered = Buffer.from(server.answer(publicKey), 'base64')

    expect(asked.subarray(0, 20).toString('hex')).toBe('0602000000a40000525341310008000001000100')
    expect(asked).toHaveLength(276)
    expect(answered.subarray(0, 12).toString('hex')).toBe('010200001066000000a40000')
    expect(answered).toHaveLength(268)
  })

  test('carries any text both ways', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(client.decrypt(server.encrypt(text))).toBe(text)
        expect(server.decrypt(client.encrypt(text))).toBe(text)
      }),
    )
  })

  test('encrypts with AES-256-CBC, zero vector, PKCS7 and UTF-16LE', () => {
    expect(Buffer.from(client.encrypt('a'), 'base64')).toHaveLength(16)
    expect(Buffer.from(client.encrypt('12345678'), 'base64')).toHaveLength(32)
    expect(client.encrypt('same')).toBe(client.encrypt('same'))
  })

  test.each([
    ['what is not base64', '%%%'],
    ['another length', 'AAAA'],
    ['another header', Buffer.alloc(268).toString('base64')],
    [
      'a key under another public key',
      Buffer.concat([Buffer.from('010200001066000000a40000', 'hex'), Buffer.alloc(256, 7)]).toString('base64'),
    ],
  ])('is refused as %s', async (_what, answer) => {
    const key = new SessionKey()
    await key.createPublicKey()

    expect(() => key.accept(answer)).toThrow(expect.objectContaining({ code: 'psrp-session-key-refused' }))
    expect(key.isReady).toBe(false)
  })

  test('that nobody asked for is refused', () => {
    expect(() => new SessionKey().accept(server.answer(publicKey))).toThrow(
      expect.objectContaining({ code: 'psrp-session-key-refused' }),
    )
  })

  test.each([
    ['no key at all', ''],
    ['a blob of zeros', Buffer.alloc(276).toString('base64')],
    [
      'a modulus of zero',
      Buffer.concat([Buffer.from('0602000000a4000052534131000800000100010000', 'hex'), Buffer.alloc(255)]).toString('base64'),
    ],
  ])('is not given for %s', (_what, blob) => {
    expect(() => new SessionKey().answer(blob)).toThrow(expect.objectContaining({ code: 'psrp-session-key-refused' }))
  })
})

describe('a SecureString', () => {
  test('is revealed on the other side, alone and within a credential', () => {
    const alone = decodeClixml(encodeClixml(new PsSecureString(SECRET), client), undefined, server) as PsSecureString
    const credential = decodeClixml(encodeClixml(new PsCredential('u', SECRET), client), undefined, server) as PsObject

    expect(alone.reveal()).toBe(SECRET)
    expect(credential.properties['UserName']).toBe('u')
    expect((credential.properties['Password'] as PsSecureString).reveal()).toBe(SECRET)
  })

  test('never shows what it holds', () => {
    const sent = new PsSecureString(SECRET)
    const received = decodeClixml(encodeClixml(sent, client), undefined, server) as PsSecureString
    const shown = [sent, received, new PsCredential('u', SECRET), { deep: [sent] }].flatMap((each) => [
      inspect(each, { depth: 9, showHidden: true }),
      JSON.stringify(each),
      String(each),
    ])

    expect(shown.join()).not.toContain('horse')
    expect(encodeClixml(sent, client)).not.toContain('horse')
  })

  test('cannot be revealed without the key, and says nothing of itself then', () => {
    const xml = encodeClixml(new PsSecureString(SECRET), client)

    expect(() => (decodeClixml(xml) as PsSecureString).reveal()).toThrow(
      expect.objectContaining({ code: 'psrp-session-key-missing' }),
    )
    expect(() => (decodeClixml('<SS>AAAA</SS>', undefined, server) as PsSecureString).reveal()).toThrow(
      expect.objectContaining({ code: 'psrp-session-key-refused' }),
    )
  })
})
