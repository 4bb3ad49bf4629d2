import { PermanentError } from '@gatehouse/messages'
import { decodeClixmlString, detach } from './clixml-string.ts'
import type { PsData } from './ps-data.ts'
import { readDateTime } from './ps-date-time.ts'

/** A TimeSpan or Version is never longer; texts without a limit are the strings. */
const PLAIN_MAX = 200

/** Turns the text of a primitive element into its value. Throws PermanentError('clixml-malformed'). */
export type Decode = (text: string) => PsData

const plain: Decode = (text) => {
  if (text.length > PLAIN_MAX) throw malformed('a short text')
  return detach(text)
}
const encoded: Decode = decodeClixmlString

// [MS-PSRP] 2.2.5.1. Int64, UInt64 and Decimal do not fit a JavaScript number, see PsData.
const DECODERS = new Map<string, Decode>([
  ['S', encoded],
  ['Nil', decodeNil],
  ['B', decodeBoolean],
  ['C', decodeCharacter],
  ['By', (text) => decodeInteger(text, 0, 255)],
  ['SB', (text) => decodeInteger(text, -128, 127)],
  ['I16', (text) => decodeInteger(text, -32_768, 32_767)],
  ['U16', (text) => decodeInteger(text, 0, 65_535)],
  ['I32', (text) => decodeInteger(text, -2_147_483_648, 2_147_483_647)],
  ['U32', (text) => decodeInteger(text, 0, 4_294_967_295)],
  ['I64', (text) => decodeBigInt(text, -(2n ** 63n), 2n ** 63n - 1n)],
  ['U64', (text) => decodeBigInt(text, 0n, 2n ** 64n - 1n)],
  ['Sg', decodeDouble],
  ['Db', decodeDouble],
  ['D', decodeDecimal],
  ['DT', decodeDate],
  ['TS', plain],
  ['G', decodeGuid],
  ['URI', encoded],
  ['Version', plain],
  ['BA', decodeBytes],
  ['XD', encoded],
  ['SBK', encoded],
])

/** The decoder of a primitive element; undefined for every other element, and for SS, which needs the pool's key. */
export function scalarDecoder(tag: string): Decode | undefined {
  return DECODERS.get(tag)
}

/** Decodes the text of a primitive element. Throws PermanentError('clixml-malformed'). */
export function decodeClixmlScalar(tag: string, text: string): PsData {
  const decode = DECODERS.get(tag)
  if (decode === undefined) throw malformed(tag)
  return decode(text)
}

function decodeNil(text: string): null {
  if (text !== '') throw malformed('Nil')
  return null
}

function decodeBoolean(text: string): boolean {
  if (text === 'true') return true
  if (text !== 'false') throw malformed('B')
  return false
}

function decodeCharacter(text: string): string {
  return String.fromCharCode(decodeInteger(text, 0, 65_535))
}

function decodeInteger(text: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^-?[0-9]{1,10}$/.test(text) || value < min || value > max) throw malformed('an integer')
  // Not -0.
  return value + 0
}

function decodeBigInt(text: string, min: bigint, max: bigint): bigint {
  if (!/^-?[0-9]{1,20}$/.test(text)) throw malformed('a 64-bit integer')
  const value = BigInt(text)
  if (value < min || value > max) throw malformed('a 64-bit integer')
  return value
}

function decodeDouble(text: string): number {
  if (text === 'INF' || text === 'Infinity') return Number.POSITIVE_INFINITY
  if (text === '-INF' || text === '-Infinity') return Number.NEGATIVE_INFINITY
  if (text === 'NaN') return Number.NaN
  if (!/^[-+]?[0-9]{0,400}(\.[0-9]{0,400})?([eE][-+]?[0-9]{1,4})?$/.test(text) || !/[0-9]/.test(text)) throw malformed('Db')
  return Number(text)
}

function decodeDecimal(text: string): string {
  if (!/^[-+]?[0-9]{1,30}(\.[0-9]{1,30})?$/.test(text)) throw malformed('D')
  return detach(text)
}

function decodeGuid(text: string): string {
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)) throw malformed('G')
  return detach(text.toLowerCase())
}

function decodeBytes(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text)
  } catch {
    throw malformed('BA')
  }
}

function decodeDate(text: string): Date {
  const date = readDateTime(text)
  if (date === undefined) throw malformed('DT')
  return date
}

function malformed(what: string): PermanentError {
  return new PermanentError('clixml-malformed', `CLIXML cannot be read: ${what} holds something else`)
}
