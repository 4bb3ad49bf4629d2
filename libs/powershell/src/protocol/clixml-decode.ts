import { PermanentError } from '@gatehouse/messages'
import { scalarDecoder } from './clixml-scalar.ts'
import { decodeClixmlName, decodeClixmlString, detach } from './clixml-string.ts'
import { noteTypeNames, type PsData, type PsObject } from './ps-data.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { SCALAR_TYPES } from './scalar-types.ts'
import type { SessionKey } from './session-key.ts'
import { XmlReader } from './xml-reader.ts'

/** Nested XML elements. PowerShell stops at 50 levels of objects, and each of them takes up to three elements. */
const DEPTH_MAX = 200
/** Of one document: what 32 MiB of the shortest elements would become must not fill the memory. */
const OBJECTS_MAX = 250_000
const VALUES_MAX = 2_000_000
const NO_TYPES: readonly string[] = Object.freeze([])
const NO_PROPERTIES: Record<string, PsData> = Object.freeze(Object.create(null) as Record<string, PsData>)
/** The elements of a ProgressRecord on the output stream, and what its properties are called. */
const PROGRESS_PROPERTIES: ReadonlyMap<string, string> = new Map([
  ['AV', 'Activity'],
  ['AI', 'ActivityId'],
  ['PI', 'ParentActivityId'],
  ['PC', 'PercentComplete'],
  ['T', 'Type'],
  ['SR', 'SecondsRemaining'],
  ['SD', 'StatusDescription'],
])

/**
 * Decodes one CLIXML value ([MS-PSRP] 2.2.5); an `<Objs>` envelope around it is allowed. Strict: throws
 * PermanentError('xml-malformed' | 'xml-too-deep' | 'clixml-malformed' | 'clixml-too-large') for anything else, never returns
 * half a value. With `wanted`, the outermost object has only those of its properties; of the text of the others nothing is
 * looked at but that it is well formed. `key` is what reveals a SecureString.
 */
export function decodeClixml(xml: string, wanted?: ReadonlySet<string>, key?: SessionKey): PsData {
  return new ClixmlDecoder(xml, wanted, key).decode()
}

type Part = { value: PsData | undefined; isContainer: boolean; hasMembers: boolean }
type MutableObject = {
  typeNames: readonly string[]
  text: string | undefined
  value: PsData | undefined
  properties: Record<string, PsData>
}

class ClixmlDecoder {
  private readonly reader: XmlReader
  private readonly types = new Map<string, readonly string[]>()
  /** Finished values by RefId. */
  private readonly finished = new Map<string, PsData>()
  /** Objects still being read; the value is made when something within refers to the object around it. */
  private readonly unfinished = new Map<string, MutableObject | undefined>()

  private readonly wanted: ReadonlySet<string> | undefined
  private readonly key: SessionKey | undefined
  private depth = 0
  private objectCount = 0
  private valueCount = 0

  constructor(xml: string, wanted: ReadonlySet<string> | undefined, key: SessionKey | undefined) {
    this.reader = new XmlReader(xml, DEPTH_MAX)
    this.wanted = wanted
    this.key = key
  }

  decode(): PsData {
    const { reader } = this
    this.openNext()
    const wrapped = reader.name === 'Objs'
    if (wrapped) this.openNext()
    const value = this.decodeElement()
    if (wrapped) this.expectClose()
    this.expectEnd()
    return value
  }

  /** The current token is the element's open tag; afterwards it is closed. */
  private decodeElement(): PsData {
    const { reader } = this
    const tag = reader.name
    if (++this.valueCount > VALUES_MAX) throw tooLarge(`${VALUES_MAX} values`)
    if (tag === 'S') return decodeClixmlString(reader.readContent())
    if (tag === 'Obj') return this.decodeObject(reader.attribute('RefId'))
    const decode = scalarDecoder(tag)
    if (decode !== undefined) return decode(reader.readContent())
    if (tag === 'Ref') return this.decodeReference()
    if (tag === 'SS') return PsSecureString.received(detach(reader.readContent()), this.key)
    if (tag === 'PR') return this.decodeProgress()
    throw malformed(`an element ${tag.slice(0, 40)} where a value is due`)
  }

  private decodeReference(): PsData {
    const id = this.reader.attribute('RefId') ?? ''
    if (this.reader.readContent() !== '') throw malformed('a Ref that is not empty')
    const value = this.finished.get(id)
    if (value !== undefined) return value
    if (!this.unfinished.has(id)) throw malformed('a Ref to an object that is not there')
    let object = this.unfinished.get(id)
    if (object === undefined) {
      object = emptyObject()
      this.unfinished.set(id, object)
    }
    return object
  }

  private decodeObject(id: string | undefined): PsData {
    const { reader } = this
    if (++this.objectCount > OBJECTS_MAX) throw tooLarge(`${OBJECTS_MAX} objects`)
    if (id !== undefined) this.unfinished.set(id, undefined)
    const object = emptyObject()
    const part: Part = { value: undefined, isContainer: false, hasMembers: false }
    this.depth++
    while (this.nextChild()) this.decodePart(reader.name, object, part)
    this.depth--
    object.value = part.value
    return this.finishObject(id, object, part)
  }

  private finishObject(id: string | undefined, read: MutableObject, part: Part): PsData {
    let object = read
    const referred = id === undefined ? undefined : this.unfinished.get(id)
    if (referred !== undefined) {
      object = Object.assign(referred, read)
    }
    // A list is most useful as an array; only its own members, or a reference to itself, need the object around it.
    const isBare = part.isContainer && !part.hasMembers && referred === undefined && object.text === undefined
    const value = isBare ? (part.value as PsData) : (object as PsObject)
    if (isBare) noteTypeNames(value as object, object.typeNames)
    if (id !== undefined) {
      this.unfinished.delete(id)
      this.finished.set(id, value)
    }
    return value
  }

  private decodePart(tag: string, object: MutableObject, part: Part): void {
    switch (tag) {
      case 'TN':
        object.typeNames = this.decodeTypeNames()
        return
      case 'TNRef':
        object.typeNames = this.decodeTypeReference()
        return
      case 'ToString':
        object.text = decodeClixmlString(this.reader.readContent())
        return
      case 'Props':
      case 'MS':
        part.hasMembers = this.decodeMembers(object) || part.hasMembers
        return
      case 'LST':
      case 'IE':
      case 'QUE':
      case 'STK':
        this.setValue(part, this.decodeList(), true)
        return
      case 'DCT':
        this.setValue(part, this.decodeDictionary(), true)
        return
      case 'Ref':
        // PowerShell never wraps an object in another one, and chains of them would have no end.
        throw malformed('an Obj whose value is a Ref')
      default:
        this.setValue(part, this.decodeElement(), false)
    }
  }

  private setValue(part: Part, value: PsData, isContainer: boolean): void {
    if (part.value !== undefined) throw malformed('an Obj with two values')
    part.value = value
    part.isContainer = isContainer
  }

  private decodeTypeNames(): readonly string[] {
    const id = this.reader.attribute('RefId')
    const names: string[] = []
    while (this.nextChild()) {
      if (this.reader.name !== 'T') throw malformed('an element other than T within TN')
      if (++this.valueCount > VALUES_MAX) throw tooLarge(`${VALUES_MAX} values`)
      names.push(decodeClixmlString(this.reader.readContent()))
    }
    if (id !== undefined) this.types.set(id, names)
    return names
  }

  private decodeTypeReference(): readonly string[] {
    const names = this.types.get(this.reader.attribute('RefId') ?? '')
    if (names === undefined || this.reader.readContent() !== '') throw malformed('a TNRef to type names that are not there')
    return names
  }

  /** False when there are none. */
  private decodeMembers(object: MutableObject): boolean {
    const { reader, wanted } = this
    let hasMembers = false
    while (this.nextChild()) {
      hasMembers = true
      if (object.properties === NO_PROPERTIES) object.properties = Object.create(null) as Record<string, PsData>
      const attribute = reader.attribute('N')
      const name = attribute === undefined ? '' : decodeClixmlName(attribute)
      if (wanted !== undefined && this.depth === 1 && !wanted.has(name)) this.skipMember()
      else if (attribute === undefined) this.decodeUnnamed(object.properties)
      else object.properties[name] = this.decodeMember()
    }
    return hasMembers
  }

  private decodeMember(): PsData {
    if (this.reader.name !== 'MS') return this.decodeElement()
    // A member set of its own (PSStandardMembers), which has a name and members but no object around them.
    if (++this.objectCount > OBJECTS_MAX) throw tooLarge(`${OBJECTS_MAX} objects`)
    const set = emptyObject()
    this.depth++
    this.decodeMembers(set)
    this.depth--
    return set
  }

  private decodeUnnamed(properties: Record<string, PsData>): void {
    const before = properties['']
    const value = this.decodeMember()
    if (Array.isArray(before)) before.push(value)
    else properties[''] = [value]
  }

  private skipMember(): void {
    const { reader } = this
    if (scalarDecoder(reader.name) !== undefined) {
      if (++this.valueCount > VALUES_MAX) throw tooLarge(`${VALUES_MAX} values`)
      reader.skipContent()
      return
    }
    // Something within may be what a later property refers to.
    this.decodeMember()
  }

  private decodeProgress(): PsObject {
    const record = emptyObject()
    record.typeNames = ['System.Management.Automation.ProgressRecord', 'System.Object']
    record.properties = Object.create(null) as Record<string, PsData>
    while (this.nextChild()) {
      const name = PROGRESS_PROPERTIES.get(this.reader.name)
      if (name === undefined) record.properties.CurrentOperation = this.decodeElement()
      else {
        const text = this.reader.readContent()
        const isNumber = /^-?\d{1,10}$/.test(text) && name !== 'Activity' && name !== 'StatusDescription'
        record.properties[name] = isNumber ? Number(text) : decodeClixmlString(text)
      }
    }
    return record
  }

  private decodeList(): PsData[] {
    const items: PsData[] = []
    while (this.nextChild()) items.push(this.decodeElement())
    return items
  }

  private decodeDictionary(): Map<PsData, PsData> {
    const map = new Map<PsData, PsData>()
    while (this.nextChild()) {
      if (this.reader.name !== 'En') throw malformed('an element other than En within DCT')
      this.openEntryPart('Key')
      const type = SCALAR_TYPES[this.reader.name as keyof typeof SCALAR_TYPES] as string | undefined
      let key = this.decodeElement()
      if (key === null) throw malformed('a null as a key')
      // Two keys in .NET, one in JavaScript.
      if (map.has(key)) key = { ...emptyObject(), typeNames: type === undefined ? NO_TYPES : [type], value: key }
      this.openEntryPart('Value')
      map.set(key, this.decodeElement())
      this.expectClose()
    }
    return map
  }

  private openEntryPart(name: string): void {
    if (!this.nextChild() || this.reader.attribute('N') !== name) throw malformed(`an En without its ${name}`)
  }

  /** Moves to the next child's open tag, or past the parent's close tag and answers false. Space between is skipped. */
  private nextChild(): boolean {
    for (;;) {
      const token = this.reader.next()
      if (token === 'open') return true
      if (token === 'close') return false
      if (token === 'end') throw malformed('the end')
      this.expectSpace()
    }
  }

  private openNext(): void {
    if (!this.nextChild()) throw malformed('an empty envelope')
  }

  private expectClose(): void {
    if (this.nextChild()) throw malformed('more than one value')
  }

  private expectEnd(): void {
    if (this.reader.next() !== 'end') throw malformed('something after the value')
  }

  private expectSpace(): void {
    if (this.reader.text.trim() !== '') throw malformed('text between elements')
  }
}

function emptyObject(): MutableObject {
  return { typeNames: NO_TYPES, text: undefined, value: undefined, properties: NO_PROPERTIES }
}

function malformed(what: string): PermanentError {
  return new PermanentError('clixml-malformed', `CLIXML cannot be read: ${what}`)
}

function tooLarge(what: string): PermanentError {
  return new PermanentError('clixml-too-large', `CLIXML cannot be read: more than ${what}`)
}
