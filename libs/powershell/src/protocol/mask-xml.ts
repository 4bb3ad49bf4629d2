import { decodeClixmlString, escapeXml } from './clixml-string.ts'
import { XmlReader } from './xml-reader.ts'

const DEPTH_MAX = 400
const SECRET_NAME = /passw(or)?d|secret|token|credential|sessionkey|passphrase|privatekey/i
const MASK = '***'

/**
 * CLIXML for people to read: without the content of SecureStrings and of everything under a property, parameter or key whose
 * name speaks of a secret. Cut after `charactersMax` with a note. What is not well formed is only counted, for nothing in it can be
 * told apart.
 */
export function maskXml(xml: string, charactersMax: number): string {
  try {
    return new Masker(xml, charactersMax).mask()
  } catch {
    return `[not well formed: ${xml.length} characters]`
  }
}

class Masker {
  private readonly reader: XmlReader
  private readonly charactersMax: number
  private readonly length: number
  private out = ''
  /** Depth of the outermost element whose content is masked; 0 for none. */
  private maskedAt = 0
  /** By depth of a parameter's MS or an entry's En: the name that its value goes by speaks of a secret. */
  private readonly secretAt = new Set<number>()
  private readonly tags: string[] = []

  constructor(xml: string, charactersMax: number) {
    this.reader = new XmlReader(xml, DEPTH_MAX)
    this.charactersMax = charactersMax
    this.length = xml.length
  }

  mask(): string {
    const { reader } = this
    for (;;) {
      const token = reader.next()
      if (token === 'end') return this.out
      if (token === 'open') this.open()
      else if (token === 'close') this.close()
      else if (this.maskedAt === 0) this.out += escapeXml(reader.text)
      if (this.out.length > this.charactersMax) return this.cut()
    }
  }

  private open(): void {
    const { reader } = this
    const { name, depth } = reader
    if (this.maskedAt === 0) this.out += `<${name}${this.attributes()}>`
    this.tags.push(name)
    this.secretAt.delete(depth)
    if (this.maskedAt > 0) return
    const attribute = reader.attribute('N')
    if (this.isSecret(name, attribute, depth)) {
      this.maskedAt = depth
      this.out += MASK
    } else if (attribute === 'N' || attribute === 'Key') this.readNameOfNext(depth)
  }

  /** A parameter is `<S N="N">name</S><… N="V">`, an entry `<S N="Key">name</S><… N="Value">`. */
  private readNameOfNext(depth: number): void {
    const { reader } = this
    if (reader.name !== 'S') return
    const text = reader.readContent()
    this.out += `${escapeXml(text)}</S>`
    this.tags.pop()
    if (SECRET_NAME.test(decodeClixmlString(text))) this.secretAt.add(depth - 1)
    else this.secretAt.delete(depth - 1)
  }

  private isSecret(tag: string, attribute: string | undefined, depth: number): boolean {
    if (tag === 'SS') return true
    if (attribute === undefined) return false
    if ((attribute === 'V' || attribute === 'Value') && this.secretAt.has(depth - 1)) return true
    return SECRET_NAME.test(decodeClixmlString(attribute))
  }

  private close(): void {
    const depth = this.tags.length
    const tag = this.tags.pop()
    if (this.maskedAt === depth) this.maskedAt = 0
    if (this.maskedAt === 0) this.out += `</${tag}>`
  }

  private attributes(): string {
    const { reader } = this
    let text = ''
    for (let at = 0; at < reader.attributeCount; at++)
      text += ` ${reader.attributeNames[at]}="${escapeXml(reader.attributeValues[at] ?? '')}"`
    return text
  }

  private cut(): string {
    return `${this.out.slice(0, this.charactersMax)}… [cut: the message has ${this.length} characters]`
  }
}
