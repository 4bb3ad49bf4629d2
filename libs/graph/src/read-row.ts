const ID_CHARACTERS_MAX = 1_024
const TEXT_CHARACTERS_MAX = 512

export function isRow(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An id or a keyword: `''` when absent, undefined when it is something else or beyond all measure. */
export function readId(value: unknown): string | undefined {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'string' || value.length > ID_CHARACTERS_MAX) return undefined
  return toStorable(value)
}

/** A text that is only shown: cut rather than refused. Undefined when it is not a text. */
export function readText(value: unknown): string | undefined {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? toStorable(value.slice(0, TEXT_CHARACTERS_MAX)) : undefined
}

/** A phone may call itself anything, but PostgreSQL takes neither NUL nor half a surrogate pair. */
function toStorable(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  return whole.includes('\0') ? whole.replaceAll('\0', '\u{FFFD}') : whole
}
