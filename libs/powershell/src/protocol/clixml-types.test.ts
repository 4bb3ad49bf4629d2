import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeClixml } from './clixml-decode.ts'
import { encodeClixml } from './clixml-encode.ts'
import { PsCredential } from './ps-credential.ts'
import { PsCustomObject } from './ps-custom-object.ts'
import { isPsObject, type PsData, type PsObject, typeNamesOf } from './ps-data.ts'
import { PsDateTime } from './ps-date-time.ts'
import { PsEnum } from './ps-enum.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { PsTyped, type PsTypeName } from './ps-typed.ts'
import type { PsValue, ServerValue } from './ps-value.ts'

const refused = expect.objectContaining({ code: 'value-refused' })

/** Every type of PsTyped: what it is given, and what it is read back as. */
const typed: fc.Arbitrary<[PsTypeName, string | number | bigint, PsData]> = fc.oneof(
  integers('Byte', 0, 255),
  integers('SByte', -128, 127),
  integers('Int16', -32_768, 32_767),
  integers('UInt16', 0, 65_535),
  integers('Int32', -2_147_483_648, 2_147_483_647),
  integers('UInt32', 0, 4_294_967_295),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Triple => ['Int64', value, value]),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Triple => ['UInt64', value, value]),
  fc.double({ noNaN: true }).map((value): Triple => ['Double', Object.is(value, -0) ? '-0' : value, value]),
  fc.float({ noNaN: true }).map((value): Triple => ['Single', Object.is(value, -0) ? '-0' : value, value]),
  fc
    .tuple(fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }), fc.nat({ max: 999 }))
    .map(([whole, rest]): Triple => ['Decimal', `${whole}.${rest}`, `${whole}.${rest}`]),
  fc.string({ unit: 'binary', minLength: 1 }).map((text): Triple => ['Char', text[0] ?? 'a', text[0] ?? 'a']),
  fc.string({ unit: 'binary', minLength: 1 }).map((text): Triple => ['Uri', text, text]),
  fc.string({ unit: 'binary' }).map((text): Triple => ['XmlDocument', text, text]),
  fc.tuple(fc.nat(), fc.nat()).map(([major, minor]): Triple => ['Version', `${major}.${minor}`, `${major}.${minor}`]),
  fc.nat({ max: 10_000 }).map((days): Triple => ['TimeSpan', `-P${days}DT1H0.5S`, `-P${days}DT1H0.5S`]),
)
type Triple = [PsTypeName, string | number | bigint, PsData]

function integers(type: PsTypeName, min: number, max: number): fc.Arbitrary<Triple> {
  return fc.integer({ min, max }).map((value): Triple => [type, value, value])
}

const dateTime = fc
  .tuple(fc.date({ min: new Date('0002-01-01'), max: new Date('9998-12-31'), noInvalidDate: true }), fc.nat({ max: 9_999_999 }))
  .map(([date, ticks]) => `${date.toISOString().slice(0, 19)}.${String(ticks).padStart(7, '0')}`)
const zone = fc.constantFrom('', 'Z', '+02:00', '-09:30')

/** A value of any kind, nested, beside what it is read back as. */
type Pair = readonly [PsValue, PsData]
const { pair } = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'pair' },
    typed.map(([type, value, expected]): Pair => [new PsTyped(type, value), expected]),
    fc.string({ unit: 'binary' }).map((text): Pair => [text, text]),
    fc
      .array(tie('pair'), { maxLength: 4, depthIdentifier: 'pair' })
      .map((items): Pair => [items.map(([value]) => value), items.map(([, expected]) => expected)]),
    // Keys of one type: two that are one in JavaScript have a test of their own.
    fc.array(fc.tuple(fc.integer(), tie('pair')), { maxLength: 4, depthIdentifier: 'pair' }).map((entries): Pair => {
      const unique = new Map(entries)
      return [
        new Map([...unique].map(([key, [value]]) => [key, value])),
        new Map([...unique].map(([key, [, data]]) => [key, data])),
      ]
    }),
  ),
}))

test('values of all kinds, nested in one another, come back as they were', () => {
  fc.assert(
    fc.property(pair, ([value, expected]) => {
      expect(decodeClixml(encodeClixml(value))).toEqual(expected)
    }),
  )
})

describe('values under a type of choice', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(typed, ([type, value, expected]) => {
        expect(decodeClixml(encodeClixml(new PsTyped(type, value)))).toEqual(expected)
      }),
    )
  })

  test.each<[PsTypeName, string | number | bigint]>([
    ['Byte', 256],
    ['SByte', 128],
    ['UInt64', 2n ** 64n],
    ['UInt64', -1n],
    ['Decimal', '79228162514264337593543950336'],
    ['Decimal', '1e5'],
    ['Int32', 1.5],
    ['Char', 'ab'],
    ['Char', ''],
    ['TimeSpan', 'P'],
    ['TimeSpan', 'P1DT'],
    ['TimeSpan', '1.02:03:04'],
    ['Version', '1'],
    ['Uri', ''],
    ['Double', 'many'],
  ])('refuse what %s cannot hold: %s', (type, value) => {
    expect(() => new PsTyped(type, value)).toThrow(refused)
  })

  test('write an infinite number in the words of XML', () => {
    expect(encodeClixml(new PsTyped('Single', Number.NEGATIVE_INFINITY))).toBe('<Sg>-INF</Sg>')
  })
})

describe('a DateTime', () => {
  test('comes back to the tick, with its zone or without one', () => {
    fc.assert(
      fc.property(dateTime, zone, (text, suffix) => {
        const sent = new PsDateTime(text + suffix)

        const received = decodeClixml(encodeClixml(sent)) as Date

        expect(received.getTime()).toBe(sent.getTime())
        expect(encodeClixml(received)).toMatch(new RegExp(`^<DT>${text.replace(/0{0,4}$/, '')}`))
        expect(received instanceof PsDateTime ? received.text : `${text}Z`).toBe(text + suffix)
      }),
    )
  })

  test('is a plain Date where that holds all of it', () => {
    const value = decodeClixml('<DT>2024-02-03T04:05:06.78Z</DT>')

    expect(value).not.toBeInstanceOf(PsDateTime)
    expect(value).toEqual(new Date('2024-02-03T04:05:06.780Z'))
  })

  test('says what kind it is', () => {
    const kinds = ['Z', '+02:00', ''].map((suffix) => new PsDateTime(`0001-01-01T00:00:00.0000001${suffix}`).kind)

    expect(kinds).toEqual(['utc', 'local', 'unspecified'])
    expect(() => new PsDateTime('yesterday')).toThrow(refused)
  })
})

describe('objects of other kinds', () => {
  test('a Map becomes a Hashtable with keys of any type', () => {
    const map = new Map<PsValue, PsValue>([
      [1, 'a'],
      [true, ['b']],
      ['c', new Map([[2n ** 40n, null]])],
    ])

    expect(decodeClixml(encodeClixml(map))).toEqual(map)
  })

  test('an enum is sent by name and number, or by name alone', () => {
    const both = decodeClixml(encodeClixml(new PsEnum('System.DayOfWeek', 'Friday', 5))) as PsObject
    const name = decodeClixml(encodeClixml(new PsEnum('System.DayOfWeek', 'Friday'))) as PsObject

    expect(both).toMatchObject({ text: 'Friday', value: 5 })
    expect(both.typeNames.slice(0, 2)).toEqual(['System.DayOfWeek', 'System.Enum'])
    expect(name).toMatchObject({ text: 'Friday', value: 'Friday' })
    expect(() => new PsEnum('System.DayOfWeek', 'Friday', 2 ** 31)).toThrow(refused)
  })

  test('a PSCustomObject keeps the order of its properties', () => {
    const object = decodeClixml(encodeClixml(new PsCustomObject({ z: 1, a: [2] }))) as PsObject

    expect(object.typeNames[0]).toBe('System.Management.Automation.PSCustomObject')
    expect(Object.entries(object.properties)).toEqual([
      ['z', 1],
      ['a', [2]],
    ])
  })

  test('a SecureString or a PSCredential is not encoded without a key', () => {
    const missing = expect.objectContaining({ code: 'psrp-session-key-missing' })

    expect(() => encodeClixml(new PsSecureString('x'))).toThrow(missing)
    expect(() => encodeClixml({ a: [new PsCredential('u', 'x')] })).toThrow(missing)
    expect(() => new PsCredential('', 'x')).toThrow(refused)
    expect(() => new PsSecureString('x'.repeat(65_537))).toThrow(refused)
  })

  test('one that is met twice is sent once, and is one object again on the other side', () => {
    const shared = { a: 1 }

    const xml = encodeClixml([shared, [shared], new PsCustomObject({ shared })])
    const [first, second, third] = decodeClixml(xml) as PsData[]

    expect(xml.match(/<Ref /g)).toHaveLength(2)
    expect((second as PsData[])[0]).toBe(first)
    expect((third as PsObject).properties['shared']).toBe(first)
  })

  test('shared objects within shared objects do not grow without bound', () => {
    const value = Array.from({ length: 20 }).reduce<PsValue>((inner) => [inner, inner, inner, inner], ['leaf'])

    expect(encodeClixml(value).length).toBeLessThan(5_000)
  })
})

describe('what a server serialises', () => {
  test('keeps keys apart that are one in JavaScript', () => {
    const entry = (key: string, value: string) => `<En>${key}<S N="Value">${value}</S></En>`
    const xml = `<Obj RefId="0"><DCT>${entry('<By N="Key">1</By>', 'byte')}${entry('<I32 N="Key">1</I32>', 'int')}${entry('<S N="Key">1</S>', 'text')}</DCT></Obj>`

    const entries = [...(decodeClixml(xml) as Map<PsData, PsData>)]

    expect(entries.map(([, value]) => value)).toEqual(['byte', 'int', 'text'])
    expect(entries[0]?.[0]).toBe(1)
    expect(entries[1]?.[0]).toMatchObject({ typeNames: ['System.Int32'], value: 1 })
    expect(entries[2]?.[0]).toBe('1')
  })

  test('keeps the type names of lists and dictionaries', () => {
    const types = '<TN RefId="0"><T>System.Collections.Stack</T><T>System.Object</T></TN>'
    const stack = decodeClixml(`<Obj RefId="0">${types}<STK><I32>3</I32><I32>2</I32></STK></Obj>`)

    expect(stack).toEqual([3, 2])
    expect(typeNamesOf(stack)).toEqual(['System.Collections.Stack', 'System.Object'])
    expect(typeNamesOf(decodeClixml(encodeClixml([1])))[0]).toBe('System.Object[]')
    expect(typeNamesOf(decodeClixml(encodeClixml({ a: 1 })))[0]).toBe('System.Collections.Hashtable')
    expect(typeNamesOf(decodeClixml('<S>a</S>'))).toEqual([])
  })

  test('keeps a list with a text of its own as an object', () => {
    expect(decodeClixml('<Obj RefId="0"><ToString>t</ToString><LST><I32>1</I32></LST></Obj>')).toMatchObject({
      text: 't',
      value: [1],
    })
  })

  test('reads member sets within members, and members without a name', () => {
    const { properties } = decodeClixml(
      '<Obj RefId="0"><MS><MS N="PSStandardMembers"><Obj N="Set" RefId="1"><LST><S>a</S></LST></Obj></MS><S>x</S><I32>1</I32></MS></Obj>',
    ) as PsObject

    expect(properties['PSStandardMembers']).toMatchObject({ properties: { Set: ['a'] } })
    expect(properties['']).toEqual(['x', 1])
  })

  test('shows an extended member rather than the adapted one of its name', () => {
    const xml = '<Obj RefId="0"><Props><S N="a">adapted</S></Props><MS><S N="a">extended</S></MS></Obj>'

    expect((decodeClixml(xml) as PsObject).properties['a']).toBe('extended')
  })

  test('reads a ProgressRecord', () => {
    const xml = '<PR><AV>act_x0041_</AV><AI>1</AI><Nil /><PI>-1</PI><PC>50</PC><T>Processing</T><SR>-1</SR><SD>7</SD></PR>'

    const record = decodeClixml(xml) as PsObject

    expect(record.properties).toEqual({
      Activity: 'actA',
      ActivityId: 1,
      CurrentOperation: null,
      ParentActivityId: -1,
      PercentComplete: 50,
      Type: 'Processing',
      SecondsRemaining: -1,
      StatusDescription: '7',
    })
  })

  test('refers to lists, dictionaries and itself', () => {
    const xml =
      '<Obj RefId="0"><DCT><En><S N="Key">self</S><Ref N="Value" RefId="0" /></En><En><S N="Key">list</S><Obj N="Value" RefId="1"><LST/></Obj></En>' +
      '<En><S N="Key">again</S><Ref N="Value" RefId="1" /></En></DCT></Obj>'

    const object = decodeClixml(xml) as PsObject
    const map = object.value as Map<string, PsData>

    expect(map.get('self')).toBe(object)
    expect(map.get('again')).toBe(map.get('list'))
  })

  test.each<[string, ServerValue]>([
    ['<Obj RefId="0" />', { typeNames: [], text: undefined, value: undefined, properties: {} } as unknown as ServerValue],
    ['<Obj RefId="0"><ToString>t</ToString></Obj>', { text: 't' } as unknown as ServerValue],
    ['<Obj RefId="0"><Nil /></Obj>', { value: null } as unknown as ServerValue],
  ])('reads %s as an object', (xml, expected) => {
    const value = decodeClixml(xml)

    expect(isPsObject(value)).toBe(true)
    expect(value).toMatchObject(expected as object)
  })

  test('fifty levels of objects, as deep as PowerShell goes, are read', () => {
    const xml = `${'<Obj><DCT><En><S N="Key">k</S><Obj N="Value"><LST>'.repeat(25)}<S>x</S>${'</LST></Obj></En></DCT></Obj>'.repeat(25)}`

    expect(() => decodeClixml(xml)).not.toThrow()
  })
})
