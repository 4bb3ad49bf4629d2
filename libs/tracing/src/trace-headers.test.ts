import { describe, expect, it } from 'vitest'
import { parseTraceHeaders, traceHeadersOf } from './trace-headers.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const VALID = `00-${TRACE}-${SPAN}-01`
const stateOf = (tracestate: unknown) => parseTraceHeaders(VALID, tracestate)?.traceState

describe('the header traceparent', () => {
  it('is read, whether the trace is recorded or not', () => {
    expect(parseTraceHeaders(VALID)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true })
    expect(parseTraceHeaders(`00-${TRACE}-${SPAN}-00`)).toMatchObject({ isSampled: false })
  })

  it('is read of a later version, with more behind it and with flags that are not known yet', () => {
    expect(parseTraceHeaders(`01-${TRACE}-${SPAN}-01-more`)).toMatchObject({ traceId: TRACE })
    expect(parseTraceHeaders(`cc-${TRACE}-${SPAN}-03`)).toMatchObject({ isSampled: true })
    expect(parseTraceHeaders(`00-${TRACE}-${SPAN}-fe`)).toMatchObject({ isSampled: false })
  })

  it.each([
    ['nothing', undefined],
    ['a number', 5],
    ['a table', { traceparent: VALID }],
    ['empty', ''],
    ['upper case', VALID.toUpperCase()],
    ['no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['more behind version 00', `${VALID}-more`],
    ['more without a hyphen', `01-${TRACE}-${SPAN}-01more`],
    ['two of them', `${VALID}, ${VALID}`],
    ['too short', VALID.slice(0, -1)],
    ['a line end', `${VALID}\n`],
    ['very long', `01-${TRACE}-${SPAN}-01-${'x'.repeat(100_000)}`],
  ])('begins a new trace when it is %s', (_what, header) => {
    expect(parseTraceHeaders(header)).toBeUndefined()
  })
})

describe('the header tracestate', () => {
  it('is passed on as it came', () => {
    const state = 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE,,tenant@vendor=a b'

    expect(stateOf(state)).toBe(state)
    expect(traceHeadersOf({ traceId: TRACE, spanId: SPAN, isSampled: true, traceState: state })).toEqual({
      traceparent: VALID,
      tracestate: state,
    })
  })

  it.each([
    ['not a text', 5],
    ['empty', ' , '],
    ['without a value', 'rojo='],
    ['without a key', '=1'],
    ['with a key in upper case', 'Rojo=1'],
    ['with a value that holds an equals sign', 'rojo=a=b'],
    ['with a line end', 'rojo=1\r\nx: y'],
    ['with a key twice', 'rojo=1,rojo=2'],
    ['above 512 characters', `rojo=${'1'.repeat(508)}`],
    ['of more than 32 members', Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')],
  ])('is dropped when it is %s, and the trace goes on', (_what, state) => {
    expect(stateOf(state)).toBeUndefined()
    expect(parseTraceHeaders(VALID, state)).toMatchObject({ traceId: TRACE })
  })
})
