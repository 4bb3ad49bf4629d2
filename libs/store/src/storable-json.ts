/** Escapes by which JSON.stringify writes NUL and halves of surrogate pairs. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/

/**
 * JSON that PostgreSQL takes: its text cannot hold NUL nor half a surrogate pair, and a phone may put either into its name.
 * Without this one hostile phone would keep a whole organisation from being stored.
 */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value)
  if (!UNSTORABLE.test(json)) return json
  // Only the rows that need it: visiting every string of a thousand rows costs ten times what writing them does.
  if (Array.isArray(value)) return `[${value.map((item) => storableJson(item ?? null)).join(',')}]`
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? storableText(item) : item))
}

export function storableText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}
