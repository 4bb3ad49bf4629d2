import { PermanentError } from '@gatehouse/messages'

export type XmlToken = 'open' | 'close' | 'text' | 'end'

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 forbids
const FORBIDDEN_CHARACTERS = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
const NAMED_ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
])
const REFERENCE = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/
const REFERENCE_MAX = 10
const LESS = 60
const SLASH = 47
const ATTRIBUTES_MAX = 64

/**
 * A strict pull parser for the XML that PowerShell remoting exchanges: elements, attributes, text, CDATA and comments. It
 * refuses document types, processing instructions, undefined entities and anything not well formed with
 * PermanentError('xml-malformed'), and nesting beyond `depthMax` with PermanentError('xml-too-deep').
 *
 * It does the work of saxes in about half the time; xml-reader-against-saxes.test.ts compares the two. Names are checked less
 * strictly: any character from U+00B7 on may be part of one.
 */
export class XmlReader {
  /** Of the current open or close tag, with its prefix. */
  name = ''
  /** Of the current text token, entities resolved. */
  text = ''
  readonly attributeNames: string[] = []
  readonly attributeValues: string[] = []
  /** How many of the two arrays above belong to the current open tag. */
  attributeCount = 0
  private readonly source: string
  private readonly depthMax: number
  private readonly open: string[] = []
  private position = 0
  private emptyElement = false
  private sawRoot = false

  constructor(source: string, depthMax: number) {
    if (FORBIDDEN_CHARACTERS.test(source)) throw malformed('a control character')
    this.source = source
    this.depthMax = depthMax
    if (source.charCodeAt(0) === 0xfeff) this.position = 1
    this.skipDeclaration()
  }

  /** How many elements are open. After the open token of a root element: 1. */
  get depth(): number {
    return this.open.length
  }

  /** Moves to the next token. An empty element gives `open` and then `close`. After the root element: `end`, for ever. */
  next(): XmlToken {
    if (this.emptyElement) {
      this.emptyElement = false
      this.open.pop()
      return 'close'
    }
    for (;;) {
      const { source, position } = this
      if (position >= source.length) return this.finish()
      if (source.charCodeAt(position) !== LESS) {
        if (this.readText()) return 'text'
        continue
      }
      const second = source.charCodeAt(position + 1)
      if (second === SLASH) return this.readClose()
      if (second === 33 /* ! */) {
        if (this.readDeclarationLike()) return 'text'
        continue
      }
      return this.readOpen()
    }
  }

  /** The value of an attribute of the current open tag. */
  attribute(name: string): string | undefined {
    for (let i = 0; i < this.attributeCount; i++) if (this.attributeNames[i] === name) return this.attributeValues[i]
    return undefined
  }

  /** After `open`: the text of an element that holds nothing else. Moves past its close tag. */
  readContent(): string {
    if (this.emptyElement) {
      this.next()
      return ''
    }
    const start = this.position
    const end = this.source.indexOf('<', start)
    // The plain case, `<S>text</S>`, without a token for the text.
    if (end > 0 && this.source.charCodeAt(end + 1) === SLASH) {
      this.position = end
      const raw = this.source.slice(start, end)
      const content = raw.includes('&') ? resolveReferences(raw) : raw
      if (content.includes(']]>') && raw.includes(']]>')) throw malformed(']]> in text')
      this.readClose()
      return content
    }
    let content = ''
    for (;;) {
      const token = this.next()
      if (token === 'text') content += this.text
      else if (token === 'close') return content
      else throw malformed(`an element within the text of ${this.open.at(-2) ?? 'the root'}`)
    }
  }

  /** `readContent` for text that nobody wants: as strict, but without making it. */
  skipContent(): void {
    if (!this.emptyElement) {
      const { source, position } = this
      const end = source.indexOf('<', position)
      // Text with an ampersand is read all the same: the reference may be one that must be refused.
      if (end > 0 && source.charCodeAt(end + 1) === SLASH && !hasMarkup(source, position, end)) {
        this.position = end
        this.readClose()
        return
      }
    }
    this.readContent()
  }

  /** After `open`: moves past the matching close tag, whatever is between. */
  skip(): void {
    const depth = this.open.length
    while (this.next() !== 'close' || this.open.length >= depth);
  }

  private finish(): XmlToken {
    if (this.open.length > 0) throw malformed(`end within ${this.open.at(-1)}`)
    if (!this.sawRoot) throw malformed('no element')
    return 'end'
  }

  private skipDeclaration(): void {
    if (!this.source.startsWith('<?xml', this.position)) return
    const end = this.source.indexOf('?>', this.position)
    if (end < 0 || end - this.position > 200) throw malformed('the XML declaration')
    this.position = end + 2
  }

  private readText(): boolean {
    const { source, position } = this
    let end = source.indexOf('<', position)
    if (end < 0) end = source.length
    this.position = end
    const raw = source.slice(position, end)
    if (this.open.length === 0) {
      if (/[^ \t\r\n]/.test(raw)) throw malformed('text outside the root element')
      return false
    }
    if (raw.includes(']]>')) throw malformed(']]> in text')
    this.text = raw.includes('&') ? resolveReferences(raw) : raw
    return true
  }

  private readDeclarationLike(): boolean {
    const { source, position } = this
    if (source.startsWith('<!--', position)) {
      const end = source.indexOf('--', position + 4)
      if (end < 0 || source[end + 2] !== '>') throw malformed('a comment')
      this.position = end + 3
      return false
    }
    if (source.startsWith('<![CDATA[', position) && this.open.length > 0) {
      const end = source.indexOf(']]>', position + 9)
      if (end < 0) throw malformed('a CDATA section')
      this.text = source.slice(position + 9, end)
      this.position = end + 3
      return true
    }
    throw malformed('a document type or another declaration')
  }

  private readClose(): XmlToken {
    const { source } = this
    const name = this.open.pop()
    if (name === undefined || !source.startsWith(name, this.position + 2)) throw malformed('a close tag that matches nothing')
    let position = this.position + 2 + name.length
    while (isSpace(source.charCodeAt(position))) position++
    if (source.charCodeAt(position) !== 62 /* > */) throw malformed(`the close tag of ${name}`)
    this.name = name
    this.position = position + 1
    return 'close'
  }

  private readOpen(): XmlToken {
    const { source } = this
    if (this.open.length === 0 && this.sawRoot) throw malformed('a second root element')
    this.sawRoot = true
    const name = this.readName(this.position + 1)
    this.attributeCount = 0
    for (;;) {
      const before = this.position
      while (isSpace(source.charCodeAt(this.position))) this.position++
      const code = source.charCodeAt(this.position)
      if (code === 62 /* > */) {
        this.position++
        break
      }
      if (code === SLASH && source.charCodeAt(this.position + 1) === 62) {
        this.position += 2
        this.emptyElement = true
        break
      }
      if (this.position === before) throw malformed(`the tag of ${name}`)
      this.readAttribute()
    }
    this.name = name
    this.open.push(name)
    if (this.open.length > this.depthMax) throw new PermanentError('xml-too-deep', `More than ${this.depthMax} nested elements`)
    return 'open'
  }

  private readAttribute(): void {
    const { source } = this
    const name = this.readName(this.position)
    while (isSpace(source.charCodeAt(this.position))) this.position++
    if (source.charCodeAt(this.position) !== 61 /* = */) throw malformed(`the attribute ${name}`)
    this.position++
    while (isSpace(source.charCodeAt(this.position))) this.position++
    const quote = source[this.position]
    if (quote !== '"' && quote !== "'") throw malformed(`the attribute ${name}`)
    const end = source.indexOf(quote, this.position + 1)
    if (end < 0) throw malformed(`the attribute ${name}`)
    const raw = source.slice(this.position + 1, end)
    if (raw.includes('<')) throw malformed(`the attribute ${name}`)
    this.position = end + 1
    if (this.attribute(name) !== undefined) throw malformed(`the attribute ${name} twice`)
    if (this.attributeCount === ATTRIBUTES_MAX) throw malformed('too many attributes')
    this.attributeNames[this.attributeCount] = name
    this.attributeValues[this.attributeCount] = raw.includes('&') ? resolveReferences(raw) : raw
    this.attributeCount++
  }

  private readName(start: number): string {
    const { source } = this
    let end = start
    while (isNameCharacter(source.charCodeAt(end))) end++
    const first = source.charCodeAt(start)
    const startsBadly = first === 45 || first === 46 || (first >= 48 && first <= 57)
    if (end === start || startsBadly) throw malformed('a name')
    this.position = end
    return source.slice(start, end)
  }
}

/** An ampersand, or the bracket that `]]>` would begin with. */
function hasMarkup(source: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = source.charCodeAt(at)
    if (code === 38 || code === 93) return true
  }
  return false
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9
}

function isNameCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 58) || // digits and the colon
    code === 95 ||
    code === 45 ||
    code === 46 ||
    code >= 0xb7
  )
}

function resolveReferences(raw: string): string {
  let resolved = ''
  let from = 0
  for (let at = raw.indexOf('&'); at >= 0; at = raw.indexOf('&', from)) {
    const end = raw.indexOf(';', at)
    if (end < 0 || end - at > REFERENCE_MAX) throw malformed('an ampersand that starts no reference')
    resolved += raw.slice(from, at) + resolveReference(raw.slice(at + 1, end))
    from = end + 1
  }
  return resolved + raw.slice(from)
}

function resolveReference(reference: string): string {
  const named = NAMED_ENTITIES.get(reference)
  if (named !== undefined) return named
  const match = REFERENCE.exec(reference)
  if (match === null) throw malformed('an undefined entity')
  return characterOf(match[1] === undefined ? Number.parseInt(match[2] ?? '', 10) : Number.parseInt(match[1], 16), reference)
}

function characterOf(code: number, reference: string): string {
  const isCharacter =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 32 && code <= 0xd7ff) ||
    // U+FFFE and U+FFFF are no XML characters, but PowerShell writes them so: its XmlWriter does not check characters.
    (code >= 0xe000 && code <= 0xffff) ||
    (code >= 0x10000 && code <= 0x10ffff)
  if (!isCharacter) throw malformed(`the reference ${reference.slice(0, 12)}`)
  return String.fromCodePoint(code)
}

function malformed(what: string): PermanentError {
  return new PermanentError('xml-malformed', `XML is not well formed: ${what}`)
}
