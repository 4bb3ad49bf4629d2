import { PermanentError } from '@gatehouse/messages'
import { describe, expect, test } from 'vitest'
import { XmlReader } from './xml-reader.ts'

function readAll(xml: string, depthMax = 10): string {
  const reader = new XmlReader(xml, depthMax)
  let seen = ''
  for (;;) {
    const token = reader.next()
    if (token === 'end') return seen
    if (token === 'open') {
      const attributes = reader.attributeNames
        .slice(0, reader.attributeCount)
        .map((name, i) => ` ${name}=${reader.attributeValues[i]}`)
      seen += `<${reader.name}${attributes.join('')}>`
    } else if (token === 'close') seen += `</${reader.name}>`
    else seen += reader.text
  }
}

describe('XmlReader', () => {
  test('gives elements, attributes, text, CDATA and skips comments and the declaration', () => {
    const xml =
      '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<!-- hi --><a x="1" y=\'&lt;&quot;\'><b/>t&amp;&#65;&#x1F600;<![CDATA[<&]]></a >\n'

    expect(readAll(xml)).toBe('<a x=1 y=<"><b></b>t&A😀<&</a>')
  })

  test('takes references to U+FFFE and U+FFFF, which PowerShell writes for them', () => {
    expect(readAll('<a>&#xFFFE;&#xFFFF;</a>')).toBe('<a>\ufffe\uffff</a>')
  })

  test.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'],
    ['a processing instruction', '<a><?php echo 1?></a>'],
    ['an undefined entity', '<a>&nbsp;</a>'],
    ['a name of Object.prototype as an entity', '<a>&toString;</a>'],
    ['a bare ampersand', '<a>b & c</a>'],
    ['a reference to a control character', '<a>&#1;</a>'],
    ['a reference to a surrogate', '<a>&#xD800;</a>'],
    ['a control character', '<a>\u0001</a>'],
    ['crossed tags', '<a><b></a></b>'],
    ['a longer close tag', '<a></ab>'],
    ['a missing close tag', '<a><b></b>'],
    ['two roots', '<a/><b/>'],
    ['no root', '  '],
    ['text beside the root', '<a/>text'],
    ['an attribute twice', '<a x="1" x="2"/>'],
    ['an attribute without quotes', '<a x=1/>'],
    ['an attribute without space before it', '<a x="1"y="2"/>'],
    ['< in an attribute', '<a x="<"/>'],
    [']]> in text', '<a>]]></a>'],
    ['an unfinished tag', '<a'],
    ['an unfinished comment', '<a><!-- </a>'],
    ['-- in a comment', '<a><!-- -- --></a>'],
    ['a name that begins with a digit', '<1a/>'],
  ])('refuses %s', (_what, xml) => {
    expect(() => readAll(xml)).toThrow(PermanentError)
  })

  test('refuses nesting beyond the limit', () => {
    expect(() => readAll('<a>'.repeat(11) + '</a>'.repeat(11))).toThrow(expect.objectContaining({ code: 'xml-too-deep' }))
  })

  test('reads content across CDATA and comments, and refuses elements within it', () => {
    const reader = new XmlReader('<a><b>1<!-- - --><![CDATA[2]]>3</b><c><d/></c></a>', 10)
    reader.next()
    reader.next()

    expect(reader.readContent()).toBe('123')
    reader.next()
    expect(() => reader.readContent()).toThrow(PermanentError)
  })

  test.each(['text', '', 'a &amp; b', 'x]y', '<![CDATA[z]]>', '<!-- c -->d'])(
    'skips content where reading it would end: %s',
    (text) => {
      const reading = new XmlReader(`<a>${text}</a>`, 4)
      const skipping = new XmlReader(`<a>${text}</a>`, 4)
      reading.next()
      skipping.next()
      reading.readContent()
      skipping.skipContent()

      expect([skipping.next(), skipping.depth]).toEqual([reading.next(), reading.depth])
    },
  )

  test.each(['a &nope; b', ']]>', '<b/>', 'never closed'])('refuses to skip what it refuses to read: %s', (text) => {
    const reader = new XmlReader(text === 'never closed' ? `<a>${text}` : `<a>${text}</a>`, 4)
    reader.next()

    expect(() => reader.skipContent()).toThrow('not well formed')
  })

  test('skips an element with all that is in it', () => {
    const reader = new XmlReader('<a><b><c>x</c><b/></b><d/></a>', 10)
    reader.next()
    reader.next()

    reader.skip()

    expect([reader.next(), reader.name]).toEqual(['open', 'd'])
  })
})
