import { randomBytes } from 'node:crypto'

/** 192 random bits, in characters that need no quoting anywhere. */
export function createPassword(): string {
  return randomBytes(24).toString('base64url')
}
