import type { TLSSocket } from 'node:tls'
import { PermanentError } from '@gatehouse/messages'
import { settingsRefused } from './settings-refused.ts'

/** What a server's certificate must be. Without `sha256` it must be issued by `ca`, or by an authority of the system. */
export type CertificateRules = {
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string | undefined
  /** Of the leaf certificate, as `readFingerprint` writes it. Alone: whatever its issuer, name and dates. */
  readonly sha256?: string | undefined
}

/** A SHA-256 fingerprint as 64 hex digits, or as 32 pairs with colons, in one form. Throws PermanentError('wsman-settings-refused'). */
export function readFingerprint(text: string): string {
  const trimmed = text.trim()
  if (!/^[0-9A-Fa-f]{64}$/.test(trimmed) && !/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$/.test(trimmed)) {
    throw settingsRefused('certificateSha256 must be 64 hex digits, with or without colons')
  }
  return trimmed.replaceAll(':', '').toUpperCase()
}

/**
 * Whether a socket, just secured, may be used; nothing has been sent on it yet. The handshake has proved that the server holds
 * the certificate's key. Answers PermanentError('wsman-certificate-refused'), which names the certificate seen, or undefined.
 */
export function checkCertificate(socket: TLSSocket, rules: CertificateRules): PermanentError | undefined {
  const certificate = socket.getPeerX509Certificate()
  const seen = certificate?.fingerprint256.replaceAll(':', '').toUpperCase() ?? ''
  if (rules.sha256 !== undefined && seen !== rules.sha256) {
    return refused(`its SHA-256 fingerprint is ${seen || 'unknown'}, the settings name ${rules.sha256}`, seen, 'PIN')
  }
  if (socket.authorized || (rules.sha256 !== undefined && rules.ca === undefined)) return undefined
  // Declared as Error; it is the code where there is one.
  const code = String(socket.authorizationError ?? 'UNKNOWN')
  return refused(`${code}; its SHA-256 fingerprint is ${seen || 'unknown'}`, seen, code)
}

function refused(why: string, sha256: string, errorCode: string): PermanentError {
  return new PermanentError('wsman-certificate-refused', `The server's certificate is not trusted: ${why}`, {
    detail: { sent: false, errorCode, certificateSha256: sha256 },
  })
}
