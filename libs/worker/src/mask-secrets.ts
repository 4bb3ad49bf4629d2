/** Keys whose values are secrets, in settings as in logs. A `…File` holds a path, not a secret. */
const SECRET_KEY = /(?:password|passwd|secret|token|authorization|cookie|credential)(?!.*(?:File|Directory)$)/i

export const MASK = '***'

/** Tells whether the value under this key must not be shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key)
}

/** The text with what looks like a secret replaced: credentials in URLs, authorization headers, `password=…`. */
export function maskSecrets(text: string): string {
  return text
    .replace(/(\w:\/\/)[^\s/@"'\\]+@/g, `$1${MASK}@`)
    .replace(/\b(Bearer|Basic|Negotiate|NTLM|Kerberos)(\s+)[\w+/=.~-]{8,}/gi, `$1$2${MASK}`)
    .replace(/\b([\w-]*(?:password|passwd|secret|token))(\s*=\s*)[^\s&"',;\\]+/gi, `$1$2${MASK}`)
}
