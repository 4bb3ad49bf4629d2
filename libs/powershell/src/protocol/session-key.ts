import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { PermanentError } from '@gatehouse/messages'

const MODULUS_BYTES = 256
const KEY_BYTES = 32
/** PUBLICKEYBLOB, version 2, CALG_RSA_KEYX, "RSA1", 2048 bits: [MS-PSRP] 2.2.5.1.24 and 3.1.5.4.3. */
const PUBLIC_KEY_HEADER = Buffer.from('0602000000a400005253413100080000', 'hex')
/** SIMPLEBLOB, version 2, CALG_AES_256, CALG_RSA_KEYX. */
const SESSION_KEY_HEADER = Buffer.from('010200001066000000a40000', 'hex')
/** The protocol encrypts every SecureString of a pool with the same key and no initialisation vector. */
const ZERO_VECTOR = Buffer.alloc(16)
const createKeyPair = promisify(generateKeyPair)

/**
 * The AES-256 key that encrypts the SecureStrings of one runspace pool, and how both sides come by it ([MS-PSRP] 3.1.5.4.3 to
 * 3.1.5.4.5): the client sends an RSA key, the server makes the session key and sends it back under that key. Everything
 * throws PermanentError('psrp-session-key-missing' | 'psrp-session-key-refused'); no error says what was encrypted.
 */
export class SessionKey {
  #key: Buffer | undefined
  #privateKey: KeyObject | undefined
  #wanted = false

  get isReady(): boolean {
    return this.#key !== undefined
  }

  /** Something was received that cannot be revealed without the key. */
  get isMissed(): boolean {
    return this.#wanted && this.#key === undefined
  }

  noteMissed(): void {
    this.#wanted = true
  }

  /** The client's first step: base64 of a PUBLICKEYBLOB for PUBLIC_KEY. */
  async createPublicKey(): Promise<string> {
    const { publicKey, privateKey } = await createKeyPair('rsa', { modulusLength: MODULUS_BYTES * 8, publicExponent: 0x10001 })
    this.#privateKey = privateKey
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
    const modulus = Buffer.from(n, 'base64url').reverse()
    const exponent = Buffer.alloc(4)
    Buffer.from(e, 'base64url').reverse().copy(exponent)
    return Buffer.concat([PUBLIC_KEY_HEADER, exponent, modulus]).toString('base64')
  }

  /** The client's second step: takes base64 of the SIMPLEBLOB of ENCRYPTED_SESSION_KEY. */
  accept(encrypted: string): void {
    if (this.#privateKey === undefined) throw refused('a session key that nobody asked for')
    const blob = decodeBase64(encrypted)
    if (blob.length !== SESSION_KEY_HEADER.length + MODULUS_BYTES || !startsWith(blob, SESSION_KEY_HEADER))
      throw refused('an encrypted session key of another form')
    const padding = constants.RSA_PKCS1_PADDING
    let key: Buffer
    try {
      key = privateDecrypt({ key: this.#privateKey, padding }, blob.subarray(SESSION_KEY_HEADER.length).toReversed())
    } catch {
      throw refused('a session key under another public key')
    }
    // OpenSSL answers a wrong padding with random bytes of any length.
    if (key.length !== KEY_BYTES) throw refused('a session key under another public key')
    this.#key = key
    this.#privateKey = undefined
  }

  /** The server's step: the session key under the client's public key, for ENCRYPTED_SESSION_KEY. Always the same session key. */
  answer(publicKey: string): string {
    const blob = decodeBase64(publicKey)
    if (blob.length !== PUBLIC_KEY_HEADER.length + 4 + MODULUS_BYTES || !startsWith(blob, PUBLIC_KEY_HEADER))
      throw refused('a public key of another form')
    this.createKey()
    const e = blob.subarray(16, 20).toReversed()
    const n = blob.subarray(20).toReversed()
    const jwk = { kty: 'RSA', n: Buffer.from(n).toString('base64url'), e: Buffer.from(e).toString('base64url') }
    try {
      const key = createPublicKey({ format: 'jwk', key: jwk })
      const encrypted = publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, this.#key ?? Buffer.alloc(0))
      return Buffer.concat([SESSION_KEY_HEADER, encrypted.reverse()]).toString('base64')
    } catch {
      throw refused('a public key that encrypts nothing')
    }
  }

  /** Makes the session key, on the server, which may need it before a client asks. */
  createKey(): void {
    this.#key ??= randomBytes(KEY_BYTES)
  }

  /** Base64, as an SS element holds it. */
  encrypt(plain: string): string {
    const cipher = createCipheriv('aes-256-cbc', this.requireKey(), ZERO_VECTOR)
    return Buffer.concat([cipher.update(Buffer.from(plain, 'utf16le')), cipher.final()]).toString('base64')
  }

  decrypt(encrypted: string): string {
    const decipher = createDecipheriv('aes-256-cbc', this.requireKey(), ZERO_VECTOR)
    try {
      return Buffer.concat([decipher.update(decodeBase64(encrypted)), decipher.final()]).toString('utf16le')
    } catch {
      throw refused('a SecureString under another key')
    }
  }

  private requireKey(): Buffer {
    if (this.#key !== undefined) return this.#key
    throw new PermanentError('psrp-session-key-missing', 'The runspace pool has no session key for a SecureString yet')
  }
}

function startsWith(blob: Uint8Array, header: Buffer): boolean {
  return header.equals(blob.subarray(0, header.length))
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text)
  } catch {
    throw refused('what is not base64')
  }
}

function refused(what: string): PermanentError {
  return new PermanentError('psrp-session-key-refused', `The exchange of SecureStrings failed: ${what}`)
}
