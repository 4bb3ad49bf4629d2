import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { expect, test } from 'vitest'
import { XmlReader } from './xml-reader.ts'

type Seen = string[] | 'refused'

function readWithSaxes(xml: string): Seen {
  const seen: string[] = []
  let text = ''
  const flush = () => {
    if (text !== '') seen.push(text)
    text = ''
  }
  try {
    const parser = new SaxesParser()
    parser.on('error', (error) => {
      throw error
    })
    parser.on('doctype', () => {
      throw new Error('A document type')
    })
    parser.on('opentag', ({ name, attributes }) => {
      flush()
      seen.push(`<${name} ${JSON.stringify(attributes)}`)
    })
    parser.on('closetag', ({ name }) => {
      flush()
      seen.push(`</${name}`)
    })
    parser.on('text', (more) => {
      if (seen.length > 0) text += more
    })
    parser.on('cdata', (more) => {
      text += more
    })
    parser.write(xml).close()
    return seen
  } catch {
    return 'refused'
  }
}

function readWithOurs(xml: string): Seen {
  const seen: string[] = []
  let text = ''
  const flush = () => {
    if (text !== '') seen.push(text)
    text = ''
  }
  try {
    const reader = new XmlReader(xml, 100)
    for (;;) {
      const token = reader.next()
      if (token === 'text') {
        text += reader.text
        continue
      }
      flush()
      if (token === 'end') return seen
      if (token === 'close') seen.push(`</${reader.name}`)
      else {
        const attributes = Object.fromEntries(
          reader.attributeNames.slice(0, reader.attributeCount).map((name, i) => [name, reader.attributeValues[i]]),
        )
        seen.push(`<${reader.name} ${JSON.stringify(attributes)}`)
      }
    }
  } catch {
    return 'refused'
  }
}

const anyXml = fc
  .array(
    fc.constantFrom(
      '<a>',
      '</a>',
      '<b x="1">',
      '</b>',
      '<c/>',
      "<d y='&lt;'/>",
      'text',
      '&amp;',
      '&#65;',
      '&#x1F600;',
      '&no;',
      '&',
      ']]>',
      '<![CDATA[<&]]>',
      '<!-- c -->',
      '<!--',
      '--',
      ' ',
      '\n',
      '<',
      '>',
      '"',
      '\u0001',
      'é',
      '😀',
      '<a',
      'z="2"',
      '<!DOCTYPE a>',
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

test('reads, and refuses, what saxes reads and refuses', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyXml,
        anyXml.map((inner) => `<a>${inner}</a>`),
      ),
      (xml) => {
        expect(readWithOurs(xml)).toEqual(readWithSaxes(xml))
      },
    ),
    { numRuns: 2_000 },
  )
})
