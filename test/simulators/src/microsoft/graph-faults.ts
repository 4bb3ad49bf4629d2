/** The `graph` section of a fault plan. What is absent does not happen. */
export type GraphFaults = {
  seed?: number
  /** Share of Graph requests (inside a batch: of the inner ones) answered 429. */
  throttlePercent?: number
  /** This many Graph requests are throttled first, whatever the percentage. */
  throttleNext?: number
  /** What Retry-After says; fractions as Microsoft sends them. Absent: 0.4 and 2.128 by turns. `null`: no header at all. */
  retryAfterSeconds?: number | null
  /** Which other calls must wait as well: the same path (default) or everything of Intune or of Entra. */
  throttleScope?: 'path' | 'workload'
  /** Every Graph request is answered 503; a number: the next that many. */
  unavailable?: boolean | number
  /** Every sign-in is answered 503. */
  loginUnavailable?: boolean
  /** managedDevices answers an empty list, with 200. */
  emptyDevices?: boolean
  /** This page (from 1) of every walk through managedDevices is left out, without a word. */
  missingPage?: number
  /** Share of single rows that a walk through managedDevices leaves out, other ones each walk. */
  missingRowsPercent?: number
  /** Rows (managed device ids) the next walk leaves out; those after have them again. */
  missingRowsOnce?: string[]
  /** Application permissions the tenant has taken away. */
  deniedPermissions?: string[]
  /** Seconds a token lives from now on. */
  tokenLifetimeSeconds?: number
  /** Every token issued so far is worthless. */
  revokeTokens?: boolean
  /** Delta links issued so far are answered 410. */
  expireDeltaTokens?: boolean
}

const checks: { [Key in keyof Required<GraphFaults>]: { allows: string; holds: (value: unknown) => boolean } } = {
  seed: { allows: 'a whole number', holds: Number.isInteger },
  throttlePercent: { allows: 'a number from 0 to 100', holds: isPercent },
  throttleNext: { allows: 'a whole number from 0', holds: isCount },
  retryAfterSeconds: {
    allows: 'a number from 0 to 3600, or null',
    holds: (value) => value === null || isWithin(value, 0, 3600),
  },
  throttleScope: { allows: 'path or workload', holds: (value) => value === 'path' || value === 'workload' },
  unavailable: { allows: 'true, false or a whole number', holds: (value) => typeof value === 'boolean' || isCount(value) },
  loginUnavailable: { allows: 'true or false', holds: isBoolean },
  emptyDevices: { allows: 'true or false', holds: isBoolean },
  missingPage: { allows: 'a whole number from 1', holds: (value) => isCount(value) && value !== 0 },
  missingRowsPercent: { allows: 'a number from 0 to 100', holds: isPercent },
  missingRowsOnce: { allows: 'a list of managed device ids', holds: isTexts },
  deniedPermissions: { allows: 'a list of permissions', holds: isTexts },
  tokenLifetimeSeconds: { allows: 'a number from 0 to 86400', holds: (value) => isWithin(value, 0, 86_400) },
  revokeTokens: { allows: 'true or false', holds: isBoolean },
  expireDeltaTokens: { allows: 'true or false', holds: isBoolean },
}

/** Reads the `graph` section of a whole plan. Throws an Error that lists every problem: key, value, what is allowed. */
export function parseGraphFaults(plan: unknown): GraphFaults {
  if (!isObject(plan)) throw new Error('Invalid fault plan: it must be an object')
  const section = plan['graph'] ?? {}
  if (!isObject(section)) throw new Error('Invalid fault plan: graph: must be an object')
  const problems: string[] = []
  for (const [key, value] of Object.entries(section)) {
    const check = (checks as Record<string, (typeof checks)['seed'] | undefined>)[key]
    if (check === undefined) problems.push(`graph.${key}: unknown; known are ${Object.keys(checks).join(', ')}`)
    else if (!check.holds(value)) problems.push(`graph.${key}: ${JSON.stringify(value)} is not ${check.allows}`)
  }
  if (problems.length > 0) throw new Error(`Invalid fault plan: ${problems.join('; ')}`)
  const seed = typeof plan['seed'] === 'number' ? { seed: plan['seed'] } : {}
  return { ...seed, ...section }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWithin(value: unknown, minimum: number, maximum: number): boolean {
  return typeof value === 'number' && value >= minimum && value <= maximum
}

function isPercent(value: unknown): boolean {
  return isWithin(value, 0, 100)
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}
