const SPECIAL = /[&<>"'\r\n\t]/g
const SPECIAL_ONE = /[&<>"'\r\n\t]/
const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
}

/** For text and attribute values alike. */
export function escapeXml(text: string): string {
  return SPECIAL_ONE.test(text) ? text.replace(SPECIAL, (character) => ENTITIES[character] ?? character) : text
}
