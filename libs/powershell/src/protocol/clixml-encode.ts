import { PermanentError } from '@gatehouse/messages'
import { encodeClixmlString, escapeXml } from './clixml-string.ts'
import { ARRAY_TYPES, HASHTABLE_TYPES } from './container-types.ts'
import { PsCredential } from './ps-credential.ts'
import { PsDateTime } from './ps-date-time.ts'
import { PsEnum } from './ps-enum.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { PsTyped } from './ps-typed.ts'
import { PsGuid, ServerObject, ServerScalar, type ServerValue } from './ps-value.ts'
import type { SessionKey } from './session-key.ts'

const DEPTH_MAX = 24
const CREDENTIAL_TYPES: readonly string[] = ['System.Management.Automation.PSCredential', 'System.Object']

/**
 * Encodes one value as CLIXML ([MS-PSRP] 2.2.5), without the `<Objs>` envelope that files have. Throws
 * PermanentError('value-refused') for what has no encoding (NaN dates, cycles, nesting beyond 24, functions), and
 * PermanentError('psrp-session-key-missing') for a SecureString without a `key` that is ready.
 */
export function encodeClixml(value: ServerValue, key?: SessionKey): string {
  return new ClixmlEncoder(0, 0, key).encode(value, '')
}

/** Encodes several values into one document: reference ids and type name references go on from one to the next. */
export class ClixmlEncoder {
  private objectCount: number
  private typeIds: Map<readonly string[], number> | undefined
  private typeCount: number
  private readonly key: SessionKey | undefined
  /** The ids of the objects and arrays met so far. */
  private known: Map<object, number> | undefined
  /** Those around the current one, outermost first. */
  private readonly around: object[] = []

  /** The first ids to give out: a document whose beginning is a template has used those below. */
  constructor(firstObjectId = 0, firstTypeId = 0, key?: SessionKey) {
    this.objectCount = firstObjectId
    this.typeCount = firstTypeId
    this.key = key
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

  private encodeObject(value: ServerInstance, attribute: string): string {
    const isArray = Array.isArray(value)
    const isReferable = isArray || value instanceof ServerObject || isPlain(value) || value instanceof Map
    if (!isReferable) return this.encodeInstance(value as ServerInstance, attribute)
    const known = this.known?.get(value)
    if (known !== undefined) {
      if (this.around.includes(value)) throw refused('an object that contains itself')
      return `<Ref${attribute} RefId="${known}"/>`
    }
    if (this.around.length >= DEPTH_MAX) throw refused(`nesting beyond ${DEPTH_MAX}`)
    const id = this.objectCount++
    this.known ??= new Map()
    this.known.set(value, id)
    this.around.push(value)
    const start = `<Obj${attribute} RefId="${id}">`
    const content = isArray
      ? `${this.encodeTypes(ARRAY_TYPES)}<LST>${this.encodeItems(value)}</LST>`
      : this.encodeReferable(value as ServerReferable)
    this.around.pop()
    return `${start}${content}</Obj>`
  }

  private encodeReferable(value: ServerReferable): string {
    if (value instanceof ServerObject) return this.encodeBag(value)
    let xml = `${this.encodeTypes(HASHTABLE_TYPES)}<DCT>`
    if (value instanceof Map) {
      for (const [key, item] of value as Map<ServerValue, ServerValue>) {
        if (key === null) throw refused('a null as a key')
        xml += `<En>${this.encode(key, ' N="Key"')}${this.encode(item, ' N="Value"')}</En>`
      }
    } else {
      for (const [key, item] of Object.entries(value as Record<string, ServerValue>)) {
        xml += `<En><S N="Key">${encodeClixmlString(key)}</S>${this.encode(item, ' N="Value"')}</En>`
      }
    }
    return `${xml}</DCT>`
  }

  private encodeInstance(value: ServerInstance, attribute: string): string {
    if (value instanceof PsDateTime) return `<DT${attribute}>${value.text}</DT>`
    if (value instanceof Date) return `<DT${attribute}>${formatDate(value)}</DT>`
    if (value instanceof PsGuid) return `<G${attribute}>${value.text}</G>`
    if (value instanceof Uint8Array)
      return `<BA${attribute}>${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}</BA>`
    if (value instanceof ServerScalar) return `<${value.tag}${attribute}>${escapeXml(value.text)}</${value.tag}>`
    if (value instanceof PsTyped) return value.toClixml(attribute)
    if (value instanceof PsSecureString) return this.encodeSecret(value, attribute)
    if (value instanceof PsEnum) {
      const text = encodeClixmlString(value.name)
      const number = value.value === undefined ? `<S>${text}</S>` : `<I32>${value.value}</I32>`
      return `<Obj${attribute} RefId="${this.objectCount++}">${this.encodeTypes(value.typeNames)}<ToString>${text}</ToString>${number}</Obj>`
    }
    if (value instanceof PsCredential) {
      const user = `<S N="UserName">${encodeClixmlString(value.userName)}</S>`
      return (
        `<Obj${attribute} RefId="${this.objectCount++}">${this.encodeTypes(CREDENTIAL_TYPES)}<ToString>${CREDENTIAL_TYPES[0]}</ToString>` +
        `<Props>${user}${this.encodeSecret(value.password, ' N="Password"')}</Props></Obj>`
      )
    }
    throw refused(`an instance of ${(value as object).constructor?.name}`)
  }

  private encodeSecret(value: PsSecureString, attribute: string): string {
    if (this.key === undefined)
      throw new PermanentError('psrp-session-key-missing', 'A SecureString cannot be encoded without a session key')
    return `<SS${attribute}>${this.key.encrypt(value.reveal())}</SS>`
  }

  private encodeItems(items: readonly ServerValue[]): string {
    let xml = ''
    for (const item of items) xml += this.encode(item, '')
    return xml
  }

  private encodeBag(bag: ServerObject): string {
    let xml = bag.typeNames.length > 0 ? this.encodeTypes(bag.typeNames) : ''
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
    return members === '' ? xml : `${xml}<${element}>${members}</${element}>`
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

type ServerInstance = Exclude<ServerValue, null | string | boolean | number | bigint>
type ServerReferable =
  | ServerObject
  | ReadonlyMap<ServerValue, ServerValue>
  | readonly ServerValue[]
  | { readonly [key: string]: ServerValue }

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
