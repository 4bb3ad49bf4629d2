import type { JsonSchema } from './settings-json-schema.ts'

/** `organizations[0].exchange.url` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? String(step) : `${text}.${String(step)}`
  }, '')
}

/** What the schema says about the setting at this path; an empty schema when it knows no such path. */
export function schemaAt(schema: JsonSchema, path: readonly PropertyKey[]): JsonSchema {
  return path.reduce<JsonSchema>(
    (at, step) => (typeof step === 'number' ? at.items : at.properties?.[String(step)]) ?? {},
    schema,
  )
}
