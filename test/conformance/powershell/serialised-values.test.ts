import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPsObject, type PsData, PsSecureString, typeNamesOf } from '../../../libs/powershell/src/index.ts'
import { listPowerShellTargets, type OpenedTarget } from '../../environment/powershell-targets.ts'

const options = { signal: new AbortController().signal, timeoutMs: 60_000 }
const targets = (await listPowerShellTargets()).filter(({ isRealEngine }) => isRealEngine)

/** What the module of test/powershell-host makes, as a client must see it. */
const SCALARS: Readonly<Record<string, PsData>> = {
  Null: null,
  String: 'a\r\n\u0001\u{1f4f1}_x0041_',
  EmptyString: '',
  Char: 'ä',
  BooleanTrue: true,
  BooleanFalse: false,
  Byte: 255,
  SByte: -128,
  Int16: -32_768,
  UInt16: 65_535,
  Int32: -2_147_483_648,
  UInt32: 4_294_967_295,
  Int64: -(2n ** 63n),
  UInt64: 2n ** 64n - 1n,
  Single: 1.5,
  Double: Number.MAX_VALUE,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  Decimal: '79228162514264337593543950335',
  DateUtc: new Date('2026-01-02T03:04:05.678Z'),
  TimeSpan: 'P1DT2H3M4.005S',
  Guid: '9b9387fe-e1b1-4695-97bd-b0a0bebe7ce2',
  Uri: 'https://example.test/a?b=c',
  Version: '1.2.3.4',
  Bytes: new Uint8Array([0, 1, 254, 255]),
  NoBytes: new Uint8Array(),
  Xml: '<a b="c">d</a>',
  ScriptBlock: ' 1 + 1 ',
}
const CONTAINERS: Readonly<Record<string, PsData>> = {
  Array: [1, 'two', null],
  EmptyArray: [],
  Strings: ['a', 'b'],
  List: [1, 'two'],
  Queue: [1, 2],
  Stack: [2, 1],
  Hashtable: new Map([['key', 'value']]),
  Ordered: new Map<PsData, PsData>([
    ['z', 1],
    ['a', 2],
  ]),
  IntKeys: new Map<PsData, PsData>([[1, 'one']]),
}

describe.each(targets)('types of the real engine: $name', (target) => {
  describe.skipIf(target.unavailable !== undefined)(target.unavailable ?? 'as it writes them', () => {
    let opened: OpenedTarget
    const written = new Map<string, PsData>()
    beforeAll(async () => {
      opened = await target.open({ runspaces: 1 })
      const { output, errors } = await opened.pool.invoke({ name: 'Test-Types', parameters: {} }, options)
      expect(errors).toEqual([])
      for (const { properties } of output) written.set(String(properties.Name), properties.Value ?? null)
    }, 120_000)
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]()
    }, 60_000)

    it.each(Object.entries({ ...SCALARS, ...CONTAINERS }))('%s', (name, expected) => {
      expect(written.has(name)).toBe(true)
      expect(withoutObject(written.get(name) ?? null)).toEqual(expected)
    })

    it('a DateTime without a zone keeps its digits, and a DateTimeOffset its moment', () => {
      expect((written.get('DateUnspecified') as Date).toISOString()).toBe('2026-01-02T03:04:05.000Z')
      expect(
        JSON.stringify(written.get('DateOffset'), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
      ).toMatch(/2026/)
    })

    it('an enum has its name and its number', () => {
      expect(written.get('Enum')).toMatchObject({ text: 'Tuesday', value: 2 })
      expect(written.get('Flags')).toMatchObject({ text: 'Hidden, System', value: 6 })
    })

    it('a big integer has its digits', () => {
      const data = written.get('BigInteger') ?? null
      expect(isPsObject(data) ? data.text : data).toBe('123456789012345678901234567890')
    })

    it('an object has its members and its type', () => {
      const data = written.get('Object') ?? null
      expect(isPsObject(data) && data.properties.a).toBe(1)
      expect(typeNamesOf(data).join()).toContain('PSCustomObject')
    })

    it('an exception has its message', () => {
      const data = written.get('Exception') ?? null
      expect(isPsObject(data) && data.properties.Message).toBe('message')
    })

    it('a SecureString can be revealed, and shows itself nowhere else', () => {
      const secret = written.get('SecureString') ?? null
      expect(secret).toBeInstanceOf(PsSecureString)
      expect(JSON.stringify({ secret })).not.toContain('secret"}')
    })
  })
})

/** Containers that carry members of their own are the `value` of an object. */
function withoutObject(data: PsData): PsData {
  return isPsObject(data) && data.value !== undefined ? data.value : data
}
