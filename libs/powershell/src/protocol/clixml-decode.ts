import { PermanentError } from '@gatehouse/messages'
import { decodeClixmlScalar, isScalarTag } from './clixml-scalar.ts'
import { decodeClixmlString } from './clixml-string.ts'
import type { PsData, PsObject } from './ps-data.ts'
import { XmlReader } from './xml-reader.ts'

/** Nested XML elements. PowerShell's own depth limit is far below; each level of objects takes three elements. */
const DEPTH_MAX = 96
const NO_TYPES: readonly string[] = Object.freeze([])

/**
 * Decodes one CLIXML value ([MS-PSRP] 2.2.5); an `<Objs>` envelope around it is allowed. Strict: throws
 * PermanentError('xml-malformed' | 'xml-too-deep' | 'clixml-malformed') for anything else, never returns half a value. With
 * `wanted`, the outermost object has only those of its properties; of the text of the others nothing is looked at but that it
 * is well formed.
 */
export function decodeClixml(xml: string, wanted?: ReadonlySet<string>): PsData {
  return new ClixmlDecoder(xml, wanted).decode()
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
  private depth = 0

  constructor(xml: string, wanted: ReadonlySet<string> | undefined) {
    this.reader = new XmlReader(xml, DEPTH_MAX)
    this.wanted = wanted
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
    if (tag === 'S') return decodeClixmlString(reader.readContent())
    if (tag === 'Obj') return this.decodeObject(reader.attribute('RefId'))
    if (tag === 'Ref') return this.decodeReference()
    if (isScalarTag(tag)) return decodeClixmlScalar(tag, reader.readContent())
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
    const value: PsData =
      part.isContainer && !part.hasMembers && referred === undefined ? (part.value as PsData) : (object as PsObject)
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
        this.decodeMembers(object.properties, part)
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

  private decodeMembers(properties: Record<string, PsData>, part: Part): void {
    const { reader } = this
    while (this.nextChild()) {
      const name = reader.attribute('N')
      // PowerShell also writes unnamed property sets (<MS><Obj N=…>); a member without a name cannot be reached by one.
      if (name === undefined) {
        this.decodeElement()
        continue
      }
      part.hasMembers = true
      if (this.wanted === undefined || this.depth > 1 || this.wanted.has(name)) {
        properties[decodeClixmlString(name)] = this.decodeElement()
      } else if (isScalarTag(reader.name) || reader.name === 'S') reader.skipContent()
      // Something within may be what a later property refers to.
      else this.decodeElement()
    }
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
      const key = this.decodeEntryPart('Key')
      map.set(key, this.decodeEntryPart('Value'))
      this.expectClose()
    }
    return map
  }

  private decodeEntryPart(name: string): PsData {
    if (!this.nextChild() || this.reader.attribute('N') !== name) throw malformed(`an En without its ${name}`)
    return this.decodeElement()
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
  return { typeNames: NO_TYPES, text: undefined, value: undefined, properties: Object.create(null) as Record<string, PsData> }
}

function malformed(what: string): PermanentError {
  return new PermanentError('clixml-malformed', `CLIXML cannot be read: ${what}`)
}
