import { type ErrorRecord, isPsObject, type PsData, type ReceivedCommand } from '@gatehouse/powershell/protocol'
import type { BoundParameters, Cmdlet, ParameterKind } from './cmdlet.ts'
import { bindingError, cannotPrompt } from './error-records.ts'

const COMMON: Readonly<Record<string, ParameterKind>> = {
  Verbose: 'switch',
  Debug: 'switch',
  ErrorAction: 'text',
  WarningAction: 'text',
  InformationAction: 'text',
  ErrorVariable: 'text',
  WarningVariable: 'text',
  OutVariable: 'text',
  OutBuffer: 'any',
}

export type Binding = { parameters: BoundParameters } | { failed: ErrorRecord }

/** Binds as the PowerShell engine does: without case, by unambiguous beginning, position 1 to Identity; then converts. */
export function bindParameters(cmdlet: Cmdlet, received: ReceivedCommand): Binding {
  const known = { ...cmdlet.parameters, ...COMMON }
  const bound = new Map<string, PsData>()
  for (const { name, value } of received.parameters) {
    const found = name === undefined ? positional(cmdlet, bound, value) : resolveName(cmdlet, Object.keys(known), name)
    if (typeof found !== 'string') return { failed: found }
    if (bound.has(found)) {
      const message = `Cannot bind parameter because parameter '${found}' is specified more than once. To provide multiple values to parameters that can accept multiple values, use the array syntax.`
      return { failed: bindingError(cmdlet, 'ParameterAlreadyBound', message, found) }
    }
    const converted = convert(cmdlet, found, known[found] ?? 'any', value)
    if ('failed' in converted) return converted
    bound.set(found, converted.value)
  }
  return checkSet(cmdlet, bound) ?? { parameters: bound }
}

function positional(cmdlet: Cmdlet, bound: Map<string, PsData>, value: PsData): string | ErrorRecord {
  if ('Identity' in cmdlet.parameters && !bound.has('Identity')) return 'Identity'
  const message = `A positional parameter cannot be found that accepts argument '${String(value)}'.`
  return bindingError(cmdlet, 'PositionalParameterNotFound', message)
}

function resolveName(cmdlet: Cmdlet, known: string[], given: string): string | ErrorRecord {
  const wanted = given.replace(/^-/, '').replace(/:$/, '').toLowerCase()
  const exact = known.find((name) => name.toLowerCase() === wanted)
  if (exact !== undefined) return exact
  const beginning = known.filter((name) => name.toLowerCase().startsWith(wanted))
  if (wanted !== '' && beginning.length === 1) return beginning[0] as string
  if (wanted !== '' && beginning.length > 1) {
    const message = `Parameter cannot be processed because the parameter name '${given}' is ambiguous. Possible matches include: ${beginning.map((name) => `-${name}`).join(' ')}.`
    return bindingError(cmdlet, 'AmbiguousParameter', message, given)
  }
  const message = `A parameter cannot be found that matches parameter name '${given}'.`
  return bindingError(cmdlet, 'NamedParameterNotFound', message, given)
}

function checkSet(cmdlet: Cmdlet, bound: Map<string, PsData>): { failed: ErrorRecord } | undefined {
  for (const name of cmdlet.mandatory ?? []) {
    if (!bound.has(name)) {
      const message = `Cannot process command because of one or more missing mandatory parameters: ${name}.`
      return { failed: bindingError(cmdlet, 'MissingMandatoryParameter', message, name) }
    }
    const value = bound.get(name)
    if (value === null || value === '') {
      const what = value === null ? 'null' : 'an empty string'
      const id = `ParameterArgumentValidationError${value === null ? 'Null' : 'EmptyString'}NotAllowed`
      return { failed: bindingError(cmdlet, id, `Cannot bind argument to parameter '${name}' because it is ${what}.`, name) }
    }
  }
  if ((cmdlet.exclusive ?? []).filter((name) => bound.has(name)).length > 1) {
    const message = 'Parameter set cannot be resolved using the specified named parameters.'
    return { failed: bindingError(cmdlet, 'AmbiguousParameterSet', message) }
  }
  if (cmdlet.confirms === true && bound.get('Confirm') !== false && bound.get('WhatIf') !== true) {
    return { failed: cannotPrompt(cmdlet) }
  }
  return undefined
}

function convert(
  cmdlet: Cmdlet,
  name: string,
  kind: ParameterKind,
  value: PsData,
): { value: PsData } | { failed: ErrorRecord } {
  if (kind === 'any' || kind === 'list') return { value }
  if (kind === 'boolean' || kind === 'switch') {
    if (typeof value === 'boolean') return { value }
    if (typeof value === 'number') return { value: value !== 0 }
    return { failed: cannotConvert(cmdlet, name, value, kind === 'boolean' ? 'System.Boolean' : 'SwitchParameter') }
  }
  const text = textFrom(value)
  if (text === undefined) return { failed: cannotConvert(cmdlet, name, value, 'System.String') }
  if (kind === 'resultSize') {
    if (text === null || /^unlimited$/i.test(text)) return { value: null }
    return /^\d{1,9}$/.test(text)
      ? { value: Number(text) }
      : { failed: cannotConvert(cmdlet, name, value, 'Microsoft.Exchange.Data.Unlimited`1[System.UInt32]') }
  }
  if (typeof kind === 'string') return { value: text }
  const chosen = kind.find((each) => each.toLowerCase() === text?.toLowerCase())
  return chosen === undefined
    ? { failed: cannotConvert(cmdlet, name, value, `an enumeration of ${kind.join(', ')}`) }
    : { value: chosen }
}

function textFrom(value: PsData): string | null | undefined {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (isPsObject(value)) return value.text ?? (typeof value.value === 'string' ? value.value : undefined)
  return undefined
}

function cannotConvert(cmdlet: Cmdlet, name: string, value: PsData, type: string): ErrorRecord {
  const shown = typeof value === 'string' ? value : 'System.Object'
  const message = `Cannot process argument transformation on parameter '${name}'. Cannot convert value "${shown}" to type "${type}".`
  return bindingError(cmdlet, 'ParameterArgumentTransformationError', message, name)
}
