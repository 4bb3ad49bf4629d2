import { PermanentError } from '@gatehouse/messages'
import { encodeClixml } from '../protocol/clixml-encode.ts'
import type { Command } from '../protocol/command.ts'
import { PsCredential } from '../protocol/ps-credential.ts'
import { PsSecureString } from '../protocol/ps-secure-string.ts'
import type { PsValue } from '../protocol/ps-value.ts'

type Secret = { name: string; kind: 'securestring' | 'credential'; user?: string; text: string }

const ENVELOPE_START = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
const COMMAND_CHARS_MAX = 8 * 1024 * 1024

/**
 * The request for one command. Parameters are CLIXML, so that PowerShell gets what a remoting client would have sent it.
 * SecureStrings go beside them: how CLIXML holds one outside of remoting depends on the machine and its user. Throws
 * PermanentError('value-refused') for what has no encoding, is too long, or has a secret within a list or a Hashtable.
 */
export function encodeRun(id: number, command: Command): string {
  const plain: Record<string, PsValue> = Object.create(null)
  const secrets: Secret[] = []
  for (const [name, value] of Object.entries(command.parameters)) {
    const secret = readSecret(name, value)
    if (secret === undefined) plain[name] = value
    else secrets.push(secret)
  }
  const hasPlain = Object.keys(plain).length > 0
  const line = JSON.stringify({
    op: 'run',
    id,
    name: command.name,
    ...(hasPlain ? { parameters: toBase64(`${ENVELOPE_START}${encodeClixml(plain)}</Objs>`) } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
  })
  if (line.length > COMMAND_CHARS_MAX)
    throw new PermanentError(
      'value-refused',
      `The parameters of ${command.name} are longer than ${COMMAND_CHARS_MAX} characters`,
    )
  return line
}

function readSecret(name: string, value: unknown): Secret | undefined {
  if (value instanceof PsSecureString) return { name, kind: 'securestring', text: toBase64(value.reveal()) }
  if (value instanceof PsCredential)
    return { name, kind: 'credential', user: toBase64(value.userName), text: toBase64(value.password.reveal()) }
  return undefined
}

/** Base64 of UTF-8, also for what ConvertFrom-Json would change: it takes a string that looks like a date for a date. */
export function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}
