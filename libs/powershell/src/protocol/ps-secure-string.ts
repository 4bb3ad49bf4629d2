import { PermanentError } from '@gatehouse/messages'
import type { SessionKey } from './session-key.ts'

/** As System.Security.SecureString. */
const CHARACTERS_MAX = 65_536
const MASK = 'System.Security.SecureString'

/**
 * A SecureString, to be sent or received. What it holds is shown by `reveal` alone: printed, logged or turned into JSON it is
 * only its type's name.
 */
export class PsSecureString {
  #reveal: () => string

  /** Throws PermanentError('value-refused') for more than 65,536 characters. */
  constructor(plain: string) {
    if (plain.length > CHARACTERS_MAX)
      throw new PermanentError('value-refused', `A SecureString holds at most ${CHARACTERS_MAX} characters`)
    this.#reveal = () => plain
  }

  /** One that was received: `cipher` is base64 of what the pool's session key encrypted. */
  static received(cipher: string, key: SessionKey | undefined): PsSecureString {
    const received = new PsSecureString('')
    key?.noteMissed()
    received.#reveal = () => {
      if (key === undefined)
        throw new PermanentError('psrp-session-key-missing', 'A SecureString outside of a runspace pool has no key')
      return key.decrypt(cipher)
    }
    return received
  }

  /**
   * The text. Of a received one: throws PermanentError('psrp-session-key-missing') before the pool has a session key, and
   * PermanentError('psrp-session-key-refused') for what that key did not encrypt.
   */
  reveal(): string {
    return this.#reveal()
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK
  }
}
