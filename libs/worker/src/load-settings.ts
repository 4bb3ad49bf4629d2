import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PermanentError } from '@gatehouse/messages'
import { parseDocument } from 'yaml'
import { applyOverrides } from './apply-overrides.ts'
import { formatProblems, listConflicts, listSchemaProblems, type SettingsProblem } from './list-problems.ts'
import { createSettingsJsonSchema, type JsonSchema } from './settings-json-schema.ts'
import { type Settings, SettingsSchema } from './settings-schema.ts'

const BYTES_MAX = 1_048_576

export type SettingsSource = {
  /** The settings file. Without it GATEHOUSE_CONFIG, if set. Relative paths in it are relative to its folder. */
  path?: string
  /** The text of a settings file, instead of reading one. */
  text?: string
  env: Record<string, string | undefined>
}

/**
 * The settings: gatehouse.yaml with `GATEHOUSE_…` variables laid over it, checked, paths made absolute, frozen.
 * Secrets are not read.
 * @throws PermanentError `settings-unreadable`; `settings-invalid` whose message lists every problem: key, value, what is allowed
 */
export function loadSettings(source: SettingsSource): Settings {
  const path = source.path ?? source.env['GATEHOUSE_CONFIG']
  const text = source.text ?? (path === undefined ? '' : readText(path))
  const place = path ?? 'the settings'
  const schema = createSettingsJsonSchema()
  const tree = fillSections(parseYaml(text, place), schema) as Record<string, unknown>
  const { origins, problems } = applyOverrides(tree, source.env, schema)
  fillSections(tree, schema)
  const parsed = SettingsSchema.safeParse(tree)
  const found = parsed.success ? [] : listSchemaProblems(parsed.error, tree, schema, origins)
  const all = [...found, ...listConflicts(tree), ...problems]
  if (!parsed.success || all.length > 0) throw invalid(all, place)
  return freeze(makePathsAbsolute(parsed.data, path === undefined ? '.' : dirname(path))) as Settings
}

function invalid(problems: SettingsProblem[], place: string): PermanentError {
  return new PermanentError('settings-invalid', formatProblems(problems, place), { detail: { problems: problems.length } })
}

function readText(path: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > BYTES_MAX) throw new PermanentError('settings-unreadable', `${path} is too big for a settings file`)
    return text
  } catch (cause) {
    if (cause instanceof PermanentError) throw cause
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new PermanentError('settings-unreadable', `The settings file ${path} cannot be read: ${code}`, { cause })
  }
}

function parseYaml(text: string, place: string): unknown {
  // prettyErrors would quote the line, and with it perhaps a secret.
  const document = parseDocument(text, { prettyErrors: false })
  if (document.errors.length > 0) {
    const byLine = new Map<number, SettingsProblem>()
    for (const { pos, code } of document.errors) {
      const line = text.slice(0, pos[0]).split('\n').length
      // What follows on the same line is mostly a consequence of the first.
      if (!byLine.has(line))
        byLine.set(line, { key: `line ${line}`, said: code.toLowerCase().replaceAll('_', ' '), allowed: 'YAML 1.2' })
    }
    const problems = [...byLine.values()]
    throw invalid(problems, place)
  }
  const tree = toTree(document, place)
  if (tree === null) return {}
  if (typeof tree === 'object' && !Array.isArray(tree)) return tree
  throw invalid(
    [{ key: 'the whole file', said: Array.isArray(tree) ? 'a list' : 'a text', allowed: 'sections such as broker:' }],
    place,
  )
}

function toTree(document: ReturnType<typeof parseDocument>, place: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch {
    throw invalid([{ key: 'the whole file', said: 'an alias without its anchor, or too many', allowed: 'YAML 1.2' }], place)
  }
}

/** Makes required sections that are missing, so that each of their keys is named; a section without a line in it is YAML's null. */
function fillSections(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value)) for (const item of value) fillSections(item, schema.items ?? {})
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const section = value as Record<string, unknown>
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    const isEmpty = section[key] === null || (section[key] === undefined && schema.required?.includes(key))
    if (isEmpty && inner.type === 'object') section[key] = {}
    fillSections(section[key], inner)
  }
  return value
}

function makePathsAbsolute(value: unknown, folder: string, key = ''): unknown {
  if (typeof value === 'string') return /(?:File|Directory)$/.test(key) ? resolve(folder, value) : value
  if (Array.isArray(value)) return value.map((item) => makePathsAbsolute(item, folder))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, makePathsAbsolute(inner, folder, name)]))
}

function freeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(Object.freeze(value))) freeze(inner)
  return value
}
