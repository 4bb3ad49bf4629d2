import { SaxesParser } from 'saxes'

export type XmlElement = {
  /** Local name. */
  name: string
  namespace: string
  /** By local name; namespace declarations are left out. */
  attributes: Record<string, string>
  children: XmlElement[]
  text: string
}

const DEPTH_MAX = 64

/** Reads one document, namespace-aware and strict. Throws an Error on malformed XML, on a DOCTYPE and beyond 64 levels. */
export function readXml(text: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: false })
  const open: XmlElement[] = []
  let root: XmlElement | undefined
  parser.on('doctype', () => {
    throw new Error('For security reasons DTD is prohibited in this XML document.')
  })
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', (tag) => {
    const attributes: Record<string, string> = {}
    for (const attribute of Object.values(tag.attributes)) {
      if (attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns') attributes[attribute.local] = attribute.value
    }
    const element: XmlElement = { name: tag.local, namespace: tag.uri, attributes, children: [], text: '' }
    if (open.length >= DEPTH_MAX) throw new Error(`The document is nested deeper than ${DEPTH_MAX} levels.`)
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => {
    open.pop()
  })
  const addText = (piece: string) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += piece
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.write(text).close()
  if (root === undefined) throw new Error('Root element is missing.')
  return root
}

export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name)
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? []
}
