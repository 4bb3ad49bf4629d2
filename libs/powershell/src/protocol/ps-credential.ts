import { PermanentError } from '@gatehouse/messages'
import { PsSecureString } from './ps-secure-string.ts'

/** A user name and password for a parameter of type PSCredential. */
export class PsCredential {
  readonly userName: string
  readonly password: PsSecureString

  /** Throws PermanentError('value-refused') for an empty user name, as PSCredential does. */
  constructor(userName: string, password: PsSecureString | string) {
    if (userName === '') throw new PermanentError('value-refused', 'A PSCredential without a user name')
    this.userName = userName
    this.password = typeof password === 'string' ? new PsSecureString(password) : password
  }
}
