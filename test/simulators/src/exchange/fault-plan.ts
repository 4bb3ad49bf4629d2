/**
 * What goes wrong, and how often. Percentages are of requests (http, ews), cmdlets or shells. Everything absent never
 * happens. The `graph` section belongs to the Microsoft simulator and passes through unread.
 */
export type FaultPlan = {
  seed?: number
  /** Cmdlets that fail with a transient directory error before they change anything. `names` limits them. */
  cmdlets?: { transientPercent: number; names?: string[] }
  /** Shells that vanish: after a cmdlet has run, its answer still undelivered. */
  shells?: { dieAfterCmdletsPercent?: number; dieEveryCmdlets?: number }
  /** Connections cut in the middle of a PowerShell request: half before, half after the server has acted. */
  http?: { resetPercent: number }
  ews?: { busyPercent?: number; backOffMs?: number; lostAnswerPercent?: number }
  /** No connection is answered at all. */
  exchange?: { unreachable: boolean }
  /** Cmdlets that never finish (until stopped). `ignoreStop`: not even then. */
  hang?: { percent: number; names?: string[]; ignoreStop?: boolean }
  /** The budget's slow-down: cmdlets take `delayMs` longer and say so on the warning stream. */
  microDelay?: { percent: number; delayMs: number }
  graph?: Record<string, unknown>
}

type Field = 'percent' | 'count' | 'milliseconds' | 'boolean' | 'names'

const SECTIONS: Record<string, { required: string[]; fields: Record<string, Field> }> = {
  cmdlets: { required: ['transientPercent'], fields: { transientPercent: 'percent', names: 'names' } },
  shells: { required: [], fields: { dieAfterCmdletsPercent: 'percent', dieEveryCmdlets: 'count' } },
  http: { required: ['resetPercent'], fields: { resetPercent: 'percent' } },
  ews: { required: [], fields: { busyPercent: 'percent', backOffMs: 'milliseconds', lostAnswerPercent: 'percent' } },
  exchange: { required: ['unreachable'], fields: { unreachable: 'boolean' } },
  hang: { required: ['percent'], fields: { percent: 'percent', names: 'names', ignoreStop: 'boolean' } },
  microDelay: { required: ['percent', 'delayMs'], fields: { percent: 'percent', delayMs: 'milliseconds' } },
}

const CHECKS: Record<Field, { allows: string; holds: (value: unknown) => boolean }> = {
  percent: { allows: 'a number from 0 to 100', holds: (value) => isNumberWithin(value, 0, 100) },
  count: { allows: 'a whole number from 1', holds: (value) => Number.isInteger(value) && (value as number) >= 1 },
  milliseconds: { allows: 'a number from 0 to 3600000', holds: (value) => isNumberWithin(value, 0, 3_600_000) },
  boolean: { allows: 'true or false', holds: (value) => typeof value === 'boolean' },
  names: {
    allows: 'a list of cmdlet names',
    holds: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== ''),
  },
}

/** Throws an Error that lists every problem: path, value, what is allowed. */
export function parseFaultPlan(value: unknown): FaultPlan {
  if (!isRecord(value)) throw new Error('Invalid fault plan: it must be an object')
  const problems: string[] = []
  for (const [name, section] of Object.entries(value)) {
    if (name === 'seed') {
      if (!Number.isInteger(section)) problems.push(`seed: ${JSON.stringify(section)} is not a whole number`)
    } else if (name === 'graph') {
      if (!isRecord(section)) problems.push('graph: must be an object')
    } else {
      problems.push(...problemsOfSection(name, section))
    }
  }
  if (problems.length > 0) throw new Error(`Invalid fault plan: ${problems.join('; ')}`)
  return value as FaultPlan
}

function problemsOfSection(name: string, section: unknown): string[] {
  const known = SECTIONS[name]
  if (known === undefined) return [`${name}: unknown section; known are seed, graph, ${Object.keys(SECTIONS).join(', ')}`]
  if (!isRecord(section)) return [`${name}: must be an object`]
  const problems = known.required.filter((field) => !(field in section)).map((field) => `${name}.${field}: is missing`)
  for (const [field, value] of Object.entries(section)) {
    const kind = known.fields[field]
    if (kind === undefined) problems.push(`${name}.${field}: unknown; known are ${Object.keys(known.fields).join(', ')}`)
    else if (!CHECKS[kind].holds(value))
      problems.push(`${name}.${field}: ${JSON.stringify(value)} is not ${CHECKS[kind].allows}`)
  }
  return problems
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumberWithin(value: unknown, minimum: number, maximum: number): boolean {
  return typeof value === 'number' && value >= minimum && value <= maximum
}
