import type { z } from 'zod'
import type { Origins } from './apply-overrides.ts'
import { isSecretKey, MASK, maskSecrets } from './mask-secrets.ts'
import { organizationIdOf } from './organization-id-of.ts'
import { formatPath, schemaAt } from './setting-path.ts'
import { describeAllowed, type JsonSchema } from './settings-json-schema.ts'

const VALUE_LENGTH_MAX = 100

export type SettingsProblem = {
  /** `broker.prefetchMax`, or the name of an environment variable. */
  readonly key: string
  /** The value for people, secrets masked; or `missing`, `unknown`. */
  readonly said: string
  readonly allowed: string
}

/** What the schema found, one problem per key. */
export function listSchemaProblems(error: z.ZodError, tree: unknown, schema: JsonSchema, origins: Origins): SettingsProblem[] {
  return error.issues.flatMap((issue) => {
    const at = schemaAt(schema, issue.path)
    if (issue.code === 'unrecognized_keys') {
      const allowed = `only ${Object.keys(at.properties ?? {}).join(', ')}`
      return issue.keys.map((key) => ({ key: formatPath([...issue.path, key]), said: 'unknown', allowed }))
    }
    const key = formatPath(issue.path)
    const origin = origins.get(key)
    const value = describeValue(valueAt(tree, issue.path), issue.path)
    return [{ key, said: origin === undefined ? value : `${value} (from ${origin})`, allowed: describeAllowed(at) }]
  })
}

/** What no schema of one key can see. Looks at the unparsed settings, so that it is told together with everything else. */
export function listConflicts(tree: unknown): SettingsProblem[] {
  const problems: SettingsProblem[] = []
  const [url, urlFile] = [valueAt(tree, ['database', 'url']), valueAt(tree, ['database', 'urlFile'])]
  if (url === undefined && urlFile === undefined) {
    problems.push({ key: 'database.url', said: 'missing', allowed: 'exactly one of database.url and database.urlFile' })
  }
  if (url !== undefined && urlFile !== undefined) {
    problems.push({ key: 'database.url', said: 'both', allowed: 'exactly one of database.url and database.urlFile' })
  }
  const organizations = valueAt(tree, ['organizations'])
  const seen = new Set<string>()
  for (const [index] of Array.isArray(organizations) ? organizations.entries() : []) {
    const path = ['organizations', index, 'name']
    const name = valueAt(tree, path)
    if (typeof name !== 'string') continue
    const id = organizationIdOf(name)
    if (seen.has(id))
      problems.push({
        key: formatPath(path),
        said: describeValue(name, path),
        allowed: 'a name that no other organisation has',
      })
    seen.add(id)
  }
  return problems
}

export function formatProblems(problems: readonly SettingsProblem[], place: string): string {
  const lines = problems.map(({ key, said, allowed }) => `  ${key}: ${said}; allowed: ${allowed}`)
  return `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in ${place}\n${lines.join('\n')}`
}

function describeValue(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined || value === null) return 'missing'
  // Also under a …File key: whoever wrote something that is no path there may have written the secret itself.
  if (isSecretKey(String(path.at(-1)).replace(/File$/, ''))) return MASK
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'a section'
  const text = typeof value === 'string' ? JSON.stringify(maskSecrets(value)) : String(value)
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined),
    tree,
  )
}
