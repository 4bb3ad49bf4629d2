import { PermanentError } from '@gatehouse/messages'
import type { Command } from './command.ts'
import { PsEnum } from './ps-enum.ts'
import { PsTyped } from './ps-typed.ts'

const NAME_MAX = 128
const PARAMETERS_MAX = 128

/**
 * Refuses a command before it leaves. Throws PermanentError with code `command-name-refused` (only letters, digits and
 * hyphens: never a path, a module prefix or script), `parameter-name-refused` (PowerShell would read a leading hyphen as
 * a token) or `empty-identity` (Exchange answers a null or empty identity with every object there is).
 */
export function checkCommand(command: Command): void {
  if (!/^[A-Za-z0-9-]+$/.test(command.name) || command.name.length > NAME_MAX) {
    throw new PermanentError('command-name-refused', `${JSON.stringify(command.name.slice(0, 60))} is not a cmdlet name`)
  }
  const entries = Object.entries(command.parameters)
  if (entries.length > PARAMETERS_MAX)
    throw new PermanentError('parameter-name-refused', `More than ${PARAMETERS_MAX} parameters`)
  for (const [name, value] of entries) {
    if (!/^[A-Za-z0-9_]+$/.test(name) || name.length > NAME_MAX) {
      throw new PermanentError(
        'parameter-name-refused',
        `${JSON.stringify(name.slice(0, 60))} is not a parameter name of ${command.name}`,
      )
    }
    if (name.toLowerCase() === 'identity' && isEmpty(value)) {
      throw new PermanentError('empty-identity', `${command.name} with an empty identity would act on every object`)
    }
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true
  if (typeof value === 'string') return value.trim() === ''
  if (Array.isArray(value)) return value.length === 0 || value.some(isEmpty)
  if (value instanceof PsTyped) return value.text.trim() === ''
  if (value instanceof PsEnum) return value.name.trim() === ''
  if (value instanceof Map) return value.size === 0
  // A Hashtable or an object of nothing.
  return typeof value === 'object' && isPlain(value) && Object.keys(value).length === 0
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
