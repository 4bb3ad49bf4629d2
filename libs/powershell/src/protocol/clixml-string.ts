// CLIXML writes characters that XML cannot hold, and anything that looks like such an escape, as _xHHHH_
// ([MS-PSRP] 2.2.5.3.2). A character beyond the BMP is written as the two escapes of its surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be escaped
const MUST_ENCODE = /[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|_(?=[xX])/
const MUST_ENCODE_ALL = new RegExp(MUST_ENCODE.source, 'g')
const MUST_ESCAPE = /[&<>"]/
const MUST_ESCAPE_ALL = /[&<>"]/g
/** V8's SlicedString::kMinLength: shorter substrings are copied anyway. */
const VIEW_LENGTH_MIN = 13
const ESCAPED = /_[xX](?:([0-9a-fA-F]{4})|([0-9a-fA-F]{8}))_/g

/** Text as it stands between CLIXML tags or within an attribute. Any string, even a lone surrogate, comes back the same. */
export function encodeClixmlString(text: string): string {
  const encoded = MUST_ENCODE.test(text) ? text.replace(MUST_ENCODE_ALL, encodeCharacter) : text
  return escapeXml(encoded)
}

/** Escapes the characters that are markup in XML text and in double-quoted attributes. */
export function escapeXml(text: string): string {
  return MUST_ESCAPE.test(text) ? text.replace(MUST_ESCAPE_ALL, escapeCharacter) : text
}

/** The reverse of the `_xHHHH_` part of `encodeClixmlString`; the XML reader has undone the other. */
export function decodeClixmlString(text: string): string {
  if (!text.includes('_x') && !text.includes('_X')) return detach(text)
  return text.replace(ESCAPED, (all, four: string | undefined, eight: string | undefined) => {
    if (four !== undefined) return String.fromCharCode(Number.parseInt(four, 16))
    const code = Number.parseInt(eight ?? '', 16)
    return code >= 0x10000 && code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}

/** `decodeClixmlString` for a name that becomes a property's: V8 keeps a copy of its own of those. */
export function decodeClixmlName(text: string): string {
  return text.includes('_') ? decodeClixmlString(text) : text
}

/**
 * V8 keeps a substring as a view of the string it was cut from, so that one kept DeviceId would hold the whole XML of its
 * object in memory. Concatenating makes a string of its own.
 */
export function detach(text: string): string {
  return text.length < VIEW_LENGTH_MIN ? text : ` ${text}`.slice(1)
}

function encodeCharacter(character: string): string {
  return `_x${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`
}

function escapeCharacter(character: string): string {
  if (character === '&') return '&amp;'
  if (character === '<') return '&lt;'
  return character === '>' ? '&gt;' : '&quot;'
}
