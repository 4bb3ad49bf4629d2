import { escapeXml } from '../escape-xml.ts'

/**
 * A property as Exchange prints it: enumerations, sizes and directory ids as text, ids as GUID, local times with an offset,
 * multi-valued properties as typed lists.
 */
export type ExchangeValue =
  | null
  | string
  | boolean
  | number
  | { guid: string }
  | { utc: Date }
  | { local: Date }
  | { strings: readonly string[] }
  | { enumeration: string; text: string; number: number }

export type ExchangeObject = {
  typeNames: readonly string[]
  /** What ToString() says. */
  text: string
  properties: readonly (readonly [string, ExchangeValue])[]
}

const STRING_LIST_TYPES = [
  'Microsoft.Exchange.Data.MultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]',
  'Microsoft.Exchange.Data.MultiValuedPropertyBase',
  'System.Object',
]

const NEEDS_CODE = /[\p{Cc}\p{Cs}\u{10000}-\u{10ffff}\ufffe\uffff]|_[xX]/u
const CODED = /[\p{Cc}\p{Cs}\u{10000}-\u{10ffff}\ufffe\uffff]|_(?=[xX])/gu

/** The object as CLIXML, the way it leaves the server (before any client puts `Deserialized.` in front of its types). */
export function printExchangeObject(object: ExchangeObject): string {
  let references = 0
  let listTypesSeen = false
  let xml = `<Obj RefId="0"><TN RefId="0">${typesOf(object.typeNames)}</TN><ToString>${text(object.text)}</ToString><Props>`
  for (const [name, value] of object.properties) {
    if (value !== null && typeof value === 'object' && 'strings' in value) {
      references += 1
      const types = listTypesSeen ? '<TNRef RefId="1" />' : `<TN RefId="1">${typesOf(STRING_LIST_TYPES)}</TN>`
      listTypesSeen = true
      const items = value.strings.map((each) => `<S>${text(each)}</S>`).join('')
      xml += `<Obj N="${name}" RefId="${references}">${types}${items === '' ? '<LST />' : `<LST>${items}</LST>`}</Obj>`
    } else if (value !== null && typeof value === 'object' && 'enumeration' in value) {
      references += 1
      const types = typesOf([value.enumeration, 'System.Enum', 'System.ValueType', 'System.Object'])
      xml += `<Obj N="${name}" RefId="${references}"><TN RefId="${100 + references}">${types}</TN>`
      xml += `<ToString>${text(value.text)}</ToString><I32>${value.number}</I32></Obj>`
    } else xml += printValue(name, value)
  }
  return inOnePiece(`${xml}</Props></Obj>`)
}

/** V8 keeps a string that was put together as a tree of its pieces; whoever encodes it later would have to walk it. */
function inOnePiece(text: string): string {
  return Buffer.from(text).toString()
}

type PlainValue = Exclude<ExchangeValue, { strings: readonly string[] } | { enumeration: string }>

function printValue(name: string, value: PlainValue): string {
  if (value === null) return `<Nil N="${name}" />`
  if (typeof value === 'string') return value === '' ? `<S N="${name}"></S>` : `<S N="${name}">${text(value)}</S>`
  if (typeof value === 'boolean') return `<B N="${name}">${value}</B>`
  if (typeof value === 'number') return `<I32 N="${name}">${value}</I32>`
  if ('guid' in value) return `<G N="${name}">${value.guid}</G>`
  if ('utc' in value) return `<DT N="${name}">${value.utc.toISOString().replace(/\.000Z$/, 'Z')}</DT>`
  return `<DT N="${name}">${withOffset(value.local)}</DT>`
}

/** The server stands in Redmond: its local times carry another offset than UTC's. */
function withOffset(date: Date): string {
  return `${new Date(date.getTime() - 7 * 3_600_000).toISOString().replace(/(\.000)?Z$/, '')}-07:00`
}

function typesOf(names: readonly string[]): string {
  return names.map((name) => `<T>${escapeXml(name)}</T>`).join('')
}

/** MS-PSRP 2.2.5.3.2: what XML cannot carry, and what would look like such a code, becomes `_xHHHH_`. */
function text(value: string): string {
  return escapeXml(NEEDS_CODE.test(value) ? value.replace(CODED, codeOf) : value)
}

function codeOf(found: string): string {
  return Array.from({ length: found.length }, (_, index) => {
    return `_x${found.charCodeAt(index).toString(16).toUpperCase().padStart(4, '0')}_`
  }).join('')
}
