import type { ManagedDeviceRow } from '../population/population.ts'

type Operator = 'eq' | 'ne' | 'lt' | 'gt' | 'contains'

/** What may be filtered on, and how: the annotations of v1.0-Prod.csdl. Neither easDeviceId nor userId is among them. */
const filterable: Partial<Record<keyof ManagedDeviceRow, Operator[]>> = {
  azureADDeviceId: ['eq'],
  complianceState: ['eq'],
  complianceGracePeriodExpirationDateTime: ['lt', 'gt'],
  deviceName: ['eq', 'contains'],
  emailAddress: ['contains'],
  enrolledDateTime: ['lt', 'gt'],
  imei: ['eq'],
  serialNumber: ['eq'],
  lastSyncDateTime: ['lt', 'gt'],
  managementAgent: ['eq'],
  manufacturer: ['eq'],
  model: ['eq', 'contains'],
  operatingSystem: ['eq'],
  osVersion: ['contains'],
  userPrincipalName: ['eq', 'ne'],
}
const orAllowed: (keyof ManagedDeviceRow)[] = ['complianceState', 'operatingSystem']

type Condition = { property: keyof ManagedDeviceRow; operator: Operator; value: string }

/**
 * The rows a $filter leaves. Intune does not refuse a filter it does not support: it takes no notice of it and returns
 * every row; `isIgnored` says so to the ledger. `or` on azureADDeviceId finds only the first.
 */
export function filterManagedDevices(
  rows: ManagedDeviceRow[],
  filter: string,
): { rows: ManagedDeviceRow[]; isIgnored: boolean } {
  const ignored = { rows, isIgnored: true }
  const alternatives = splitOutsideQuotes(filter, ' or ').map((part) => splitOutsideQuotes(part, ' and ').map(parseCondition))
  if (alternatives.some((conditions) => conditions.includes(undefined))) return ignored
  const known = alternatives as Condition[][]
  if (known.length > 1) {
    const properties = new Set(known.flat().map((condition) => condition.property))
    const [property] = properties
    if (properties.size !== 1 || property === undefined) return ignored
    if (property === 'azureADDeviceId') known.length = 1
    else if (!orAllowed.includes(property)) return ignored
  }
  return {
    rows: rows.filter((row) => known.some((conditions) => conditions.every((condition) => holds(row, condition)))),
    isIgnored: false,
  }
}

function parseCondition(text: string): Condition | undefined {
  const trimmed = text.trim().replace(/^\((.*)\)$/s, '$1')
  const call = /^contains\(\s*(\w+)\s*,\s*'((?:[^']|'')*)'\s*\)$/is.exec(trimmed)
  const comparison = /^(\w+)\s+(eq|ne|lt|gt)\s+('(?:[^']|'')*'|[\w.:+-]+)$/is.exec(trimmed)
  const [property, operator, raw] =
    call === null ? [comparison?.[1], comparison?.[2]?.toLowerCase(), comparison?.[3]] : [call[1], 'contains', `'${call[2]}'`]
  if (property === undefined || operator === undefined || raw === undefined) return undefined
  const known = filterable[property as keyof ManagedDeviceRow]
  if (!known?.includes(operator as Operator)) return undefined
  const value = raw.startsWith("'") ? raw.slice(1, -1).replaceAll("''", "'") : raw
  return { property: property as keyof ManagedDeviceRow, operator: operator as Operator, value }
}

function holds(row: ManagedDeviceRow, { property, operator, value }: Condition): boolean {
  const actual = String(row[property]).toLowerCase()
  const wanted = value.toLowerCase()
  if (operator === 'eq') return actual === wanted
  if (operator === 'ne') return actual !== wanted
  if (operator === 'contains') return actual.includes(wanted)
  const [left, right] = [Date.parse(actual), Date.parse(wanted)]
  return operator === 'lt' ? left < right : left > right
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let isQuoted = false
  let start = 0
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === "'") isQuoted = !isQuoted
    if (!isQuoted && text.slice(index, index + separator.length).toLowerCase() === separator) {
      parts.push(text.slice(start, index))
      start = index + separator.length
      index = start - 1
    }
  }
  return [...parts, text.slice(start)]
}
