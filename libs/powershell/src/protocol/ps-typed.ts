import { PermanentError } from '@gatehouse/messages'
import { decodeClixmlScalar } from './clixml-scalar.ts'
import { encodeClixmlString } from './clixml-string.ts'

/** The types that JavaScript has no value of its own for, and their elements. Never a ScriptBlock: no script text is sent. */
const TAGS = {
  Byte: 'By',
  SByte: 'SB',
  Int16: 'I16',
  UInt16: 'U16',
  Int32: 'I32',
  UInt32: 'U32',
  Int64: 'I64',
  UInt64: 'U64',
  Single: 'Sg',
  Double: 'Db',
  Decimal: 'D',
  Char: 'C',
  TimeSpan: 'TS',
  Version: 'Version',
  Uri: 'URI',
  XmlDocument: 'XD',
} as const
const ENCODED = new Set<string>(['URI', 'XD'])
const TIME_SPAN = /^-?P(?=.)(\d{1,8}D)?(T(?=.)(\d{1,10}H)?(\d{1,12}M)?(\d{1,14}(\.\d{1,7})?S)?)?$/
const VERSION = /^\d{1,10}(\.\d{1,10}){1,3}$/
/** System.Xml.XmlConvert's words. */
const WORDS: Readonly<Record<string, string>> = { Infinity: 'INF', '-Infinity': '-INF' }
/** System.Decimal's 96 bits. */
const DECIMAL_MAX = 2n ** 96n - 1n
const DECIMAL_SCALE_MAX = 28

export type PsTypeName = keyof typeof TAGS

/**
 * One value under a .NET type of choice: `new PsTyped('Decimal', '12.50')`, `new PsTyped('UInt64', 2n ** 64n - 1n)`. A
 * TimeSpan is ISO 8601 (`P1DT2H`, `PT0.5S`), a Char one UTF-16 unit, a Uri and a Version their text.
 */
export class PsTyped {
  readonly type: PsTypeName
  readonly text: string

  /** Throws PermanentError('value-refused') for what the type cannot hold. */
  constructor(type: PsTypeName, value: string | number | bigint) {
    this.type = type
    this.text = String(value)
    if (!isHeld(type, this.text))
      throw new PermanentError('value-refused', `Cannot be encoded as CLIXML: a value that System.${type} cannot hold`)
  }

  /** `attribute` is empty or an encoded ` N="…"`. */
  toClixml(attribute: string): string {
    const tag = TAGS[this.type]
    return `<${tag}${attribute}>${this.content(tag)}</${tag}>`
  }

  private content(tag: string): string {
    if (tag === 'C') return String(this.text.charCodeAt(0))
    return ENCODED.has(tag) ? encodeClixmlString(this.text) : (WORDS[this.text] ?? this.text)
  }
}

function isHeld(type: PsTypeName, text: string): boolean {
  if (type === 'Char') return text.length === 1
  if (type === 'Uri') return text !== ''
  if (type === 'XmlDocument') return true
  if (type === 'TimeSpan') return TIME_SPAN.test(text)
  if (type === 'Version') return VERSION.test(text)
  if (type === 'Decimal') return isDecimal(text)
  try {
    decodeClixmlScalar(TAGS[type], text)
    return true
  } catch {
    return false
  }
}

function isDecimal(text: string): boolean {
  const match = /^-?(\d{1,29})(?:\.(\d{1,28}))?$/.exec(text)
  if (match === null) return false
  const [, whole = '', fraction = ''] = match
  return fraction.length <= DECIMAL_SCALE_MAX && BigInt(whole + fraction) <= DECIMAL_MAX
}
