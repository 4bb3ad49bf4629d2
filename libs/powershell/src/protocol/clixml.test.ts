import { PermanentError } from '@gatehouse/messages'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeClixml } from './clixml-decode.ts'
import { encodeClixml } from './clixml-encode.ts'
import type { PsData, PsObject } from './ps-data.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { PsGuid, type PsValue, ServerObject, ServerScalar, type ServerValue } from './ps-value.ts'

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const anyString = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('_', 'x', 'X', '0', '4', '1', 'F', '<', '&', '"', '\ud800', '\udc00', '\u0001') }),
)
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.bigInt(INT64),
  anyString,
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  fc.uint8Array(),
  fc.uuid().map((text) => new PsGuid(text)),
)
const { value: anyValue } = fc.letrec<{ value: PsValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'value' },
    leaf as fc.Arbitrary<PsValue>,
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'value' }),
    fc.dictionary(anyString, tie('value'), { maxKeys: 4, depthIdentifier: 'value', noNullPrototype: true }),
  ),
}))

/** What an encoded value is after its way through CLIXML. */
function expected(value: PsValue): PsData {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) && (value | 0) !== value ? BigInt(value) : value
  if (value instanceof Date) return value
  if (value instanceof Uint8Array) return value
  if (value instanceof PsGuid) return value.text
  if (Array.isArray(value)) return value.map((item: PsValue) => expected(item))
  return new Map(Object.entries(value).map(([key, item]) => [key, expected(item)]))
}

describe('CLIXML', () => {
  test('gives back every value that can be sent', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(decodeClixml(encodeClixml(value))).toEqual(expected(value))
      }),
    )
  })

  test.each([
    '$(Get-Process)',
    '`"\'; Remove-Mailbox *',
    '_x0041_',
    '_X0041_',
    '_x005F_x0041_',
    'a\u0001b\u007f\u0085',
    '\ud800',
    '\udc00\ud800',
    '😀',
    '\r\n\t',
    '\ufffe\uffff',
    '<![CDATA[&]]>',
    '  spaces  ',
    '',
  ])('gives back the string %j', (text) => {
    expect(decodeClixml(encodeClixml(text))).toBe(text)
    expect(decodeClixml(encodeClixml({ [text]: text }))).toEqual(new Map([[text, text]]))
  })

  test('writes characters beyond XML as escapes, surrogates one by one', () => {
    expect(encodeClixml('a_x_\u0001😀&<')).toBe('<S>a_x005F_x__x0001__xD83D__xDE00_&amp;&lt;</S>')
  })

  test('reads escapes of eight digits and raw characters beyond the BMP', () => {
    expect(decodeClixml('<S>_x0001F600_😀</S>')).toBe('😀😀')
  })

  test('keeps integers beyond 2^53 exact', () => {
    expect(encodeClixml(2n ** 53n + 1n)).toBe('<I64>9007199254740993</I64>')
    expect(decodeClixml('<I64>9007199254740993</I64>')).toBe(9007199254740993n)
    expect(decodeClixml('<U64>18446744073709551615</U64>')).toBe(18446744073709551615n)
  })

  test('writes a multi-value change as a typed hashtable', () => {
    expect(encodeClixml({ Add: ['A'], Remove: [] })).toBe(
      '<Obj RefId="0"><TN RefId="0"><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT>' +
        '<En><S N="Key">Add</S><Obj N="Value" RefId="1"><TN RefId="1"><T>System.Object[]</T><T>System.Array</T><T>System.Object</T></TN><LST><S>A</S></LST></Obj></En>' +
        '<En><S N="Key">Remove</S><Obj N="Value" RefId="2"><TNRef RefId="1"/><LST></LST></Obj></En></DCT></Obj>',
    )
  })

  test('reads every primitive', () => {
    const xml =
      '<Obj RefId="0"><MS><C N="c">65</C><DT N="dt">2024-02-03T04:05:06.7891234Z</DT><DT N="zone">2024-02-03T04:05:06+02:00</DT><DT N="local">2024-02-03T04:05:06</DT>' +
      '<TS N="ts">PT9.0269026S</TS><By N="by">254</By><SB N="sb">-127</SB><I16 N="i16">-16767</I16><U16 N="u16">64767</U16><U32 N="u32">4294967295</U32>' +
      '<Sg N="sg">12.5</Sg><Db N="db">-INF</Db><D N="d">12.340</D><BA N="ba">AQID</BA><G N="g">792E5B37-4505-47EF-B7D2-8711BB7AFFA8</G><URI N="uri">http://a/b</URI>' +
      '<Version N="v">6.2.1.3</Version><XD N="xd">&lt;a/&gt;</XD><SBK N="sbk">1_x000A_2</SBK><SS N="ss">AAAA</SS><Nil N="nil"/></MS></Obj>'

    expect((decodeClixml(xml) as PsObject).properties).toEqual({
      c: 'A',
      dt: new Date('2024-02-03T04:05:06.789Z'),
      zone: new Date('2024-02-03T02:05:06Z'),
      local: new Date('2024-02-03T04:05:06Z'),
      ts: 'PT9.0269026S',
      by: 254,
      sb: -127,
      i16: -16767,
      u16: 64767,
      u32: 4294967295,
      sg: 12.5,
      db: Number.NEGATIVE_INFINITY,
      d: '12.340',
      ba: new Uint8Array([1, 2, 3]),
      g: '792e5b37-4505-47ef-b7d2-8711bb7affa8',
      uri: 'http://a/b',
      v: '6.2.1.3',
      xd: '<a/>',
      sbk: '1\n2',
      ss: expect.any(PsSecureString),
      nil: null,
    })
  })

  test('reads objects with types, text, adapted and extended members, and references to them', () => {
    const xml =
      '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0"><T>Deserialized.A</T><T>System.Object</T></TN><ToString>a</ToString>' +
      '<Props><S N="Name">n</S><Obj N="Owner" RefId="1"><TNRef RefId="0"/><ToString>b</ToString></Obj></Props>' +
      '<MS><Ref N="Again" RefId="1"/><Obj N="State" RefId="2"><TN RefId="1"><T>System.Enum</T></TN><ToString>Opened</ToString><I32>2</I32></Obj></MS></Obj></Objs>'

    const object = decodeClixml(xml) as PsObject

    expect(object).toMatchObject({ typeNames: ['Deserialized.A', 'System.Object'], text: 'a', value: undefined })
    expect(object.properties['Again']).toBe(object.properties['Owner'])
    expect(object.properties['State']).toMatchObject({ text: 'Opened', value: 2 })
    expect(Object.getPrototypeOf(object.properties)).toBeNull()
  })

  test('reads a reference to an object that is not finished as the object itself', () => {
    const object = decodeClixml(
      '<Obj RefId="0"><LST><Obj RefId="1"><MS><Ref N="Parent" RefId="0"/></MS></Obj></LST></Obj>',
    ) as PsObject

    const [child] = object.value as PsData[]
    expect((child as PsObject).properties['Parent']).toBe(object)
  })

  test.each(['LST', 'IE', 'QUE', 'STK'])('reads %s as an array, and keeps members beside it', (tag) => {
    expect(decodeClixml(`<Obj RefId="0"><${tag}><I32>1</I32><Nil/></${tag}></Obj>`)).toEqual([1, null])
    expect(decodeClixml(`<Obj RefId="0"><${tag}><I32>1</I32></${tag}><MS><B N="x">true</B></MS></Obj>`)).toMatchObject({
      value: [1],
      properties: { x: true },
    })
  })

  test('keeps members with the names of Object.prototype as data', () => {
    const { properties } = decodeClixml(
      '<Obj RefId="0"><MS><S N="__proto__">p</S><S N="constructor">c</S></MS></Obj>',
    ) as PsObject

    expect(Object.entries(properties)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ])
  })

  test('writes objects of a server so that a client reads them', () => {
    const types = ['A', 'B']
    const value = new ServerObject({
      typeNames: types,
      text: 'x & y',
      properties: {
        list: new ServerObject({ typeNames: types, value: ['a', 1] }),
        version: new ServerScalar('Version', '15.1'),
        none: null,
      },
    })

    const xml = encodeClixml(value)

    expect(xml.match(/<TN /g)).toHaveLength(1)
    expect(decodeClixml(xml)).toMatchObject({
      typeNames: types,
      text: 'x & y',
      properties: { list: ['a', 1], version: '15.1', none: null },
    })
  })

  test.each([
    ['an unknown element', '<Foo>1</Foo>'],
    ['a boolean in capitals', '<B>True</B>'],
    ['a number with space', '<I32> 1</I32>'],
    ['a number out of range', '<I32>2147483648</I32>'],
    ['an I64 out of range', '<I64>9223372036854775808</I64>'],
    ['a U64 below zero', '<U64>-1</U64>'],
    ['a broken date', '<DT>2024-13-01T00:00:00Z</DT>'],
    ['a day that its month does not have', '<DT>2023-02-29T00:00:00Z</DT>'],
    ['a null as a key', '<Obj RefId="0"><DCT><En><Nil N="Key"/><S N="Value">a</S></En></DCT></Obj>'],
    ['a TimeSpan without end', `<TS>${'9'.repeat(1_000)}</TS>`],
    ['more objects than the limit', `<Obj><LST>${'<Obj/>'.repeat(250_000)}</LST></Obj>`],
    ['more values than the limit', `<Obj><LST>${'<S/>'.repeat(2_000_001)}</LST></Obj>`],
    ['more type names than the limit', `<Obj><TN>${'<T/>'.repeat(2_000_001)}</TN></Obj>`],
    ['a broken guid', '<G>1234</G>'],
    ['broken base64', '<BA>%%%%</BA>'],
    ['a Nil with text', '<Nil>x</Nil>'],
    ['a Ref to nothing', '<Obj RefId="0"><MS><Ref N="a" RefId="7"/></MS></Obj>'],
    ['a TNRef to nothing', '<Obj RefId="0"><TNRef RefId="7"/></Obj>'],
    ['two values', '<S>a</S><S>b</S>'],
    ['two values in one object', '<Obj RefId="0"><S>a</S><S>b</S></Obj>'],
    ['an object that is its own value', '<Obj RefId="0"><Ref RefId="0"/></Obj>'],
    ['an object whose value is another', '<Obj><LST><Obj RefId="0"/><Obj><Ref RefId="0"/></Obj></LST></Obj>'],
    ['text between elements', '<Obj RefId="0">text</Obj>'],
    ['an entry without a key', '<Obj RefId="0"><DCT><En><S N="Value">a</S></En></DCT></Obj>'],
    ['an entry with three parts', '<Obj RefId="0"><DCT><En><S N="Key">a</S><S N="Value">b</S><S>c</S></En></DCT></Obj>'],
    ['nothing', ''],
    ['a cut document', '<Obj RefId="0"><MS><S N="a">b'],
    ['nesting without end', '<Obj><LST>'.repeat(5_000)],
  ])('refuses %s', (_what, xml) => {
    expect(() => decodeClixml(xml)).toThrow(PermanentError)
  })

  test('never throws anything but PermanentError, whatever it is given', () => {
    const mutated = fc.tuple(anyValue, fc.nat(), fc.string({ maxLength: 3 })).map(([value, at, junk]) => {
      const xml = encodeClixml(value)
      return xml.slice(0, at % xml.length) + junk + xml.slice((at % xml.length) + junk.length)
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), mutated), (xml) => {
        try {
          decodeClixml(xml)
        } catch (error) {
          expect(error).toBeInstanceOf(PermanentError)
        }
      }),
    )
  })

  test.each([
    ['undefined', { a: undefined }],
    ['a function', () => 1],
    ['a Set', new Set()],
    ['a Map with null as a key', new Map([[null, 1]])],
    ['an instance of an unknown class', new URL('http://a/')],
    ['a date that is none', new Date(Number.NaN)],
    ['an integer beyond 64 bits', 2n ** 63n],
  ])('does not encode %s', (_what, value) => {
    expect(() => encodeClixml(value as unknown as ServerValue)).toThrow(expect.objectContaining({ code: 'value-refused' }))
  })

  test('does not encode endless nesting', () => {
    const circle: PsValue[] = []
    circle.push(circle)
    const nested = Array.from({ length: 25 }).reduce<PsValue>((inner) => [inner], 1)

    expect(() => encodeClixml(circle)).toThrow(
      expect.objectContaining({ code: 'value-refused', message: expect.stringContaining('contains itself') }),
    )
    expect(() => encodeClixml(nested)).toThrow(expect.objectContaining({ code: 'value-refused' }))
  })
})

describe('a part of an object', () => {
  const list = '<TN RefId="1"><T>List</T></TN>'
  const xml =
    '<Obj RefId="0"><TN RefId="0"><T>A</T></TN><Props><S N="Wanted">yes</S><S N="Other">a &amp; b</S><I32 N="Count">7</I32>' +
    `<Obj N="Unwanted" RefId="1">${list}<LST><S>x</S></LST></Obj>` +
    '<Obj N="List" RefId="2"><TNRef RefId="1"/><LST><S>x</S></LST><MS><S N="Other">kept</S></MS></Obj></Props></Obj>'

  test('has the properties that were asked for, with all that is in them', () => {
    const whole = decodeClixml(xml) as PsObject
    const part = decodeClixml(xml, new Set(['Wanted', 'List'])) as PsObject

    expect(part).toEqual({ ...whole, properties: { Wanted: whole.properties['Wanted'], List: whole.properties['List'] } })
  })

  test('may refer to what is in a property that nobody asked for', () => {
    const part = decodeClixml(
      '<Obj RefId="0"><Props><Obj N="A" RefId="1"><LST><S>x</S></LST></Obj><Ref N="B" RefId="1"/></Props></Obj>',
      new Set(['B']),
    )

    expect(part).toMatchObject({ properties: { B: ['x'] } })
  })

  test('is refused like the whole when it is not well formed', () => {
    expect(() => decodeClixml('<Obj RefId="0"><Props><S N="A">&nope;</S></Props></Obj>', new Set())).toThrow('not well formed')
  })
})
