import type { SettingsProblem } from './list-problems.ts'
import { formatPath, schemaAt } from './setting-path.ts'
import type { JsonSchema } from './settings-json-schema.ts'

type Env = Record<string, string | undefined>
type Path = (string | number)[]
type Tree = Record<string | number, unknown>

const PREFIX = 'GATEHOUSE_'
const INDEX_MAX = 999

/** Environment variables of ours that are not settings: where the settings are, and what the demo and the tests are to use. */
const NOT_SETTINGS = ['GATEHOUSE_CONFIG', 'GATEHOUSE_AMQP_URL', 'GATEHOUSE_RABBITMQ_MANAGEMENT_URL']
const ALIASES: Readonly<Record<string, Path>> = { GATEHOUSE_HEALTH_PORT: ['worker', 'healthPort'] }

/** By the key of the setting: the variable that gave it. */
export type Origins = ReadonlyMap<string, string>

/**
 * Lays `GATEHOUSE_…` variables over the settings, in place: `GATEHOUSE_BROKER_PREFETCH_MAX` is `broker.prefetchMax`,
 * `GATEHOUSE_ORGANIZATIONS_0_EXCHANGE_URL` is `organizations[0].exchange.url`; underscores inside a key may be left out.
 * An empty variable counts as not set.
 */
export function applyOverrides(tree: Tree, env: Env, schema: JsonSchema): { origins: Origins; problems: SettingsProblem[] } {
  const origins = new Map<string, string>()
  const problems: SettingsProblem[] = []
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX) && !NOT_SETTINGS.includes(name) && env[name] !== '')
  // Numerically, so that an item 2 finds an item 1 that is also only in the environment.
  for (const name of names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    const found = ALIASES[name] ?? findPath(name.slice(PREFIX.length).split('_'), schema)
    if (found === undefined) {
      problems.push({ key: name, said: 'unknown', allowed: 'GATEHOUSE_ and the path of a setting that holds no section' })
    } else if (assign(tree, found, convert(env[name] ?? '', schemaAt(schema, found)))) {
      origins.set(formatPath(found), name)
    } else {
      problems.push({ key: name, said: 'an item after a gap', allowed: 'items without a gap before them' })
    }
  }
  preferOverride(tree, origins)
  return { origins, problems }
}

function findPath(words: string[], schema: JsonSchema): Path | undefined {
  if (words.length === 0) return isLeaf(schema) ? [] : undefined
  if (schema.type === 'array') {
    const index = /^\d{1,3}$/.test(words[0] ?? '') ? Number(words[0]) : Number.NaN
    const rest = index <= INDEX_MAX && schema.items !== undefined ? findPath(words.slice(1), schema.items) : undefined
    return rest && [index, ...rest]
  }
  for (let taken = words.length; taken > 0; taken--) {
    const spelled = words.slice(0, taken).join('')
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      const rest = key.toUpperCase() === spelled ? findPath(words.slice(taken), inner) : undefined
      if (rest !== undefined) return [key, ...rest]
    }
  }
  return undefined
}

function isLeaf(schema: JsonSchema): boolean {
  if (schema.type === 'array') return schema.items !== undefined && isLeaf(schema.items)
  return schema.type !== 'object'
}

/** What cannot be converted stays a text, so that the schema refuses it by its own words. */
function convert(value: string, schema: JsonSchema): unknown {
  if (schema.type === 'array') return value.split(',').map((item) => convert(item.trim(), schema.items ?? {}))
  if (schema.type === 'number' && /^\d{1,15}(\.\d{1,15})?$/.test(value)) return Number(value)
  if (schema.type === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
  if (schema.type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function assign(tree: Tree, path: Path, value: unknown): boolean {
  let at = tree
  for (const [depth, step] of path.entries()) {
    if (Array.isArray(at) && Number(step) > at.length) return false
    if (depth === path.length - 1) at[step] = value
    else {
      at[step] ??= typeof path[depth + 1] === 'number' ? [] : {}
      const inner = at[step]
      // Something else than a section is there: the schema will say so.
      if (typeof inner !== 'object') return true
      at = inner as Tree
    }
  }
  return true
}

/** A database named in the environment replaces one named in the file, by whichever of the two keys. */
function preferOverride(tree: Tree, origins: Origins): void {
  const database = tree['database'] as Tree | undefined
  if (database === undefined || origins.has('database.url') === origins.has('database.urlFile')) return
  delete database[origins.has('database.url') ? 'urlFile' : 'url']
}
