import { PermanentError } from '@gatehouse/messages'
import { encodeClixmlString, escapeXml } from './clixml-string.ts'
import { PsGuid, ServerObject, ServerScalar, type ServerValue } from './ps-value.ts'

const DEPTH_MAX = 24
const ARRAY_TYPES: readonly string[] = ['System.Object[]', 'System.Array', 'System.Object']
const HASHTABLE_TYPES: readonly string[] = ['System.Collections.Hashtable', 'System.Object']

/**
 * Encodes one value as CLIXML ([MS-PSRP] 2.2.5), without the `<Objs>` envelope that files have. Throws
 * PermanentError('value-refused') for what has no encoding (NaN dates, nesting beyond 24, functions).
 */
export function encodeClixml(value: ServerValue): string {
  return new ClixmlEncoder().encode(value, '')
}

/** Encodes several values into one document: reference ids and type name references go on from one to the next. */
export class ClixmlEncoder {
  private objectCount: number
  private depth = 0
  private typeIds: Map<readonly string[], number> | undefined
  private typeCount: number

  /** The first ids to give out: a document whose beginning is a template has used those below. */
  constructor(firstObjectId = 0, firstTypeId = 0) {
    this.objectCount = firstObjectId
    this.typeCount = firstTypeId
  }

  nextObjectId(): number {
    return this.objectCount++
  }

  /** `attribute` is empty or an encoded ` N="…"`, made by `nameAttribute`. */
  encode(value: ServerValue, attribute: string): string {
    switch (typeof value) {
      case 'string':
        return `<S${attribute}>${encodeClixmlString(value)}</S>`
      case 'boolean':
        return value ? `<B${attribute}>true</B>` : `<B${attribute}>false</B>`
      case 'number':
        return encodeNumber(value, attribute)
      case 'bigint':
        return encodeBigInt(value, attribute)
      case 'object':
        return value === null ? `<Nil${attribute}/>` : this.encodeObject(value, attribute)
      default:
        throw refused(`a ${typeof value}`)
    }
  }

  private encodeObject(value: Exclude<ServerValue, null | string | boolean | number | bigint>, attribute: string): string {
    if (value instanceof ServerObject) return this.encodeBag(value, attribute)
    if (value instanceof Date) return `<DT${attribute}>${formatDate(value)}</DT>`
    if (value instanceof PsGuid) return `<G${attribute}>${value.text}</G>`
    if (value instanceof Uint8Array)
      return `<BA${attribute}>${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}</BA>`
    if (value instanceof ServerScalar) return `<${value.tag}${attribute}>${escapeXml(value.text)}</${value.tag}>`
    if (++this.depth > DEPTH_MAX) throw refused(`nesting beyond ${DEPTH_MAX}`)
    const id = this.objectCount++
    let xml: string
    if (Array.isArray(value)) {
      xml = `<Obj${attribute} RefId="${id}">${this.encodeTypes(ARRAY_TYPES)}<LST>${this.encodeItems(value)}</LST></Obj>`
    } else {
      if (!isPlain(value)) throw refused(`an instance of ${value.constructor?.name}`)
      xml = `<Obj${attribute} RefId="${id}">${this.encodeTypes(HASHTABLE_TYPES)}<DCT>`
      for (const [key, item] of Object.entries(value)) {
        xml += `<En><S N="Key">${encodeClixmlString(key)}</S>${this.encode(item, ' N="Value"')}</En>`
      }
      xml += '</DCT></Obj>'
    }
    this.depth--
    return xml
  }

  private encodeItems(items: readonly ServerValue[]): string {
    let xml = ''
    for (const item of items) xml += this.encode(item, '')
    return xml
  }

  private encodeBag(bag: ServerObject, attribute: string): string {
    if (++this.depth > DEPTH_MAX) throw refused(`nesting beyond ${DEPTH_MAX}`)
    let xml = `<Obj${attribute} RefId="${this.objectCount++}">`
    if (bag.typeNames.length > 0) xml += this.encodeTypes(bag.typeNames)
    if (bag.text !== undefined) xml += `<ToString>${encodeClixmlString(bag.text)}</ToString>`
    if (bag.value !== undefined) {
      xml += Array.isArray(bag.value) ? `<LST>${this.encodeItems(bag.value)}</LST>` : this.encode(bag.value, '')
    }
    let members = ''
    for (const name in bag.properties) {
      const member = bag.properties[name]
      if (member !== undefined) members += this.encode(member, nameAttribute(name))
    }
    const element = bag.members === 'adapted' ? 'Props' : 'MS'
    if (members !== '') xml += `<${element}>${members}</${element}>`
    this.depth--
    return `${xml}</Obj>`
  }

  private encodeTypes(types: readonly string[]): string {
    this.typeIds ??= new Map()
    const known = this.typeIds.get(types)
    if (known !== undefined) return `<TNRef RefId="${known}"/>`
    const id = this.typeCount++
    this.typeIds.set(types, id)
    return `<TN RefId="${id}">${encodeTypeNames(types)}</TN>`
  }
}

const typeNamesCache = new WeakMap<readonly string[], string>()

/** The `<T>` elements of a type name list, remembered per array. */
function encodeTypeNames(types: readonly string[]): string {
  let xml = typeNamesCache.get(types)
  if (xml === undefined) {
    xml = types.map((name) => `<T>${encodeClixmlString(name)}</T>`).join('')
    typeNamesCache.set(types, xml)
  }
  return xml
}

const NAMES_CACHED_MAX = 2_000
const nameCache = new Map<string, string>()

/** ` N="…"` for a member name. Member names recur in every object of a list, so their encoding is remembered. */
function nameAttribute(name: string): string {
  let attribute = nameCache.get(name)
  if (attribute === undefined) {
    attribute = ` N="${encodeClixmlString(name)}"`
    if (nameCache.size < NAMES_CACHED_MAX) nameCache.set(name, attribute)
  }
  return attribute
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function encodeNumber(value: number, attribute: string): string {
  if (Object.is(value, value | 0)) return `<I32${attribute}>${value}</I32>`
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return `<I64${attribute}>${value}</I64>`
  return `<Db${attribute}>${formatDouble(value)}</Db>`
}

function formatDouble(value: number): string {
  // System.Xml.XmlConvert's words.
  if (value === Number.POSITIVE_INFINITY) return 'INF'
  if (value === Number.NEGATIVE_INFINITY) return '-INF'
  return Object.is(value, -0) ? '-0' : String(value)
}

function encodeBigInt(value: bigint, attribute: string): string {
  if (BigInt.asIntN(64, value) !== value) throw refused('an integer beyond 64 bits')
  return `<I64${attribute}>${value}</I64>`
}

function formatDate(date: Date): string {
  const time = date.getTime()
  const year = date.getUTCFullYear()
  if (Number.isNaN(time) || year < 1 || year > 9999) throw refused('a date that DateTime cannot hold')
  return date.toISOString()
}

function refused(what: string): PermanentError {
  return new PermanentError('value-refused', `Cannot be encoded as CLIXML: ${what}`)
}
