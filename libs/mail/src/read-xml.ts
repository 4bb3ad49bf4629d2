import { SaxesParser } from 'saxes'

/** One element. `name` is the local name, `uri` its namespace; attributes are keyed by local name; text includes no child's text. */
export type XmlElement = {
  readonly name: string
  readonly uri: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  readonly text: string
}

type Growing = { name: string; uri: string; attributes: Record<string, string>; children: Growing[]; text: string }

const DEPTH_MAX = 64

/**
 * The document element of a well-formed XML document of at most `charactersMax` characters.
 * @throws Error for anything else: malformed, too long, too deep, or with a document type (no entity is ever expanded).
 */
export function readXml(source: string, charactersMax: number): XmlElement {
  if (source.length > charactersMax) throw new Error(`The XML document has more than ${charactersMax} characters`)
  const parser = new SaxesParser({ xmlns: true })
  const open: Growing[] = []
  let root: Growing | undefined
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('The XML document has a document type')
  })
  parser.on('opentag', (tag) => {
    if (open.length >= DEPTH_MAX) throw new Error(`The XML document is deeper than ${DEPTH_MAX} elements`)
    const attributes: Record<string, string> = Object.create(null)
    for (const attribute of Object.values(tag.attributes)) attributes[attribute.local] = attribute.value
    const element: Growing = { name: tag.local, uri: tag.uri, attributes, children: [], text: '' }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  const addText = (text: string) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    open.pop()
  })
  parser.write(source).close()
  if (root === undefined) throw new Error('The XML document is empty')
  return root
}

/** Every element of this namespace and name below (or at) the element, in document order. */
export function findElements(element: XmlElement, uri: string, name: string): XmlElement[] {
  const here = element.uri === uri && element.name === name ? [element] : []
  return [...here, ...element.children.flatMap((child) => findElements(child, uri, name))]
}
