import fc from 'fast-check'
import { PsDateTime, PsEnum, PsGuid, PsTyped, type PsValue } from '../../../libs/powershell/src/index.ts'

const LOOK_ALIKES = ['_x0041_', '_x005F_', '_x005F_x0041_', '_xD83D_', '_x', '_xZZZZ_', '_x00e9_', '__x0000_']

/**
 * Text of every kind: any UTF-16 code units (lone surrogates and control characters too), and what looks like an escape. Not U+FFFE and
 * U+FFFF, which PowerShell's own serialiser of strings refuses, though not its remoting: the contract has them.
 */
const text = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 }).map((units) => String.fromCharCode(...units)),
    fc
      .array(fc.constantFrom(...LOOK_ALIKES, '\ud83d', '\ude00', '\u0000', '\r\n', '<', ']]>', '&'), { maxLength: 8 })
      .map((parts) => parts.join('')),
  )
  .map((value) => value.replace(/[\ufffe\uffff]/g, ''))

const integer = (bits: bigint, signed: boolean) =>
  signed ? fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n }) : fc.bigInt({ min: 0n, max: 2n ** bits - 1n })

const typed = fc.oneof(
  integer(8n, false).map((value) => new PsTyped('Byte', value)),
  integer(8n, true).map((value) => new PsTyped('SByte', value)),
  integer(16n, true).map((value) => new PsTyped('Int16', value)),
  integer(16n, false).map((value) => new PsTyped('UInt16', value)),
  integer(32n, false).map((value) => new PsTyped('UInt32', value)),
  integer(64n, false).map((value) => new PsTyped('UInt64', value)),
  fc
    .tuple(integer(80n, true), fc.integer({ min: 0, max: 20 }))
    .map(([value, scale]) => new PsTyped('Decimal', decimalText(value, scale))),
  fc
    .array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 2, maxLength: 4 })
    .map((parts) => new PsTyped('Version', parts.join('.'))),
  fc
    .tuple(
      fc.integer({ min: 0, max: 9_999 }),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      fc.integer({ min: 0, max: 59 }),
    )
    .map((parts) => new PsTyped('TimeSpan', timeSpanText(parts))),
)

const scalar: fc.Arbitrary<PsValue> = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constantFrom(null, true, false),
  fc.integer(),
  fc.maxSafeInteger(),
  integer(64n, true),
  fc.double({ noNaN: false }),
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
  fc
    .tuple(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 0, max: 9_999_999 }), fc.constantFrom('', 'Z'))
    .map(
      ([year, ticks, zone]) =>
        new PsDateTime(`${String(year).padStart(4, '0')}-06-15T12:34:56.${String(ticks).padStart(7, '0')}${zone}`),
    ),
  fc.uuid().map((uuid) => new PsGuid(uuid)),
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(new PsEnum('System.DayOfWeek', 'Tuesday', 2)),
  typed,
)

/** PowerShell compares keys without case. */
const keys = (value: fc.Arbitrary<PsValue>) =>
  fc.uniqueArray(fc.tuple(text, value), { maxLength: 4, selector: ([key]) => key.normalize().toUpperCase().toLowerCase() })

/** A value of any type that a parameter can have, nested up to five deep. */
export const randomValue: fc.Arbitrary<PsValue> = fc.letrec<{ value: PsValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 5 }),
    keys(tie('value')).map((entries) => new Map<PsValue, PsValue>(entries)),
  ),
})).value

function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${value < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

/** As .NET writes it: without the parts that are 0. */
function timeSpanText([days, hours, minutes, seconds]: readonly [number, number, number, number]): string {
  const part = (value: number, unit: string) => (value === 0 ? '' : `${value}${unit}`)
  const time = part(hours, 'H') + part(minutes, 'M') + part(seconds, 'S')
  const text = `P${part(days, 'D')}${time === '' ? '' : `T${time}`}`
  return text === 'P' ? 'PT0S' : text
}
