import { z } from 'zod'
import { SettingsSchema } from './settings-schema.ts'

/** The parts of JSON Schema that our settings use; `allowed` is our own: what may be written, in words. */
export type JsonSchema = {
  readonly type?: string
  readonly description?: string
  readonly allowed?: string
  readonly enum?: readonly (string | number | boolean)[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
}

let created: JsonSchema | undefined

/** JSON Schema (2020-12) of gatehouse.yaml, for editors: what a person may write, so keys with a default are not required. */
export function createSettingsJsonSchema(): JsonSchema {
  created ??= { ...(z.toJSONSchema(SettingsSchema, { io: 'input' }) as JsonSchema), description: 'Settings of Gatehouse' }
  return created
}

/** What a key accepts, in words for people: `a whole number from 1 to 18`. */
export function describeAllowed(schema: JsonSchema): string {
  if (schema.allowed !== undefined) return schema.allowed
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  switch (schema.type) {
    case 'integer':
      return `a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list of ${schema.minItems ?? 0} to ${schema.maxItems} items`
    case 'object':
      return `a section with ${Object.keys(schema.properties ?? {}).join(', ')}`
    default:
      return `a text of ${schema.minLength ?? 0} to ${schema.maxLength} characters`
  }
}
