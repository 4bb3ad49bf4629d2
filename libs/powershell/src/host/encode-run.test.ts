import { describe, expect, test } from 'vitest'
import { decodeClixml } from '../protocol/clixml-decode.ts'
import { PsCredential } from '../protocol/ps-credential.ts'
import { PsSecureString } from '../protocol/ps-secure-string.ts'
import type { PsValue } from '../protocol/ps-value.ts'
import { encodeRun } from './encode-run.ts'

function encoded(parameters: Record<string, PsValue>) {
  const line = encodeRun(7, { name: 'Set-Thing', parameters })
  const { parameters: clixml, ...rest } = JSON.parse(line)
  return { line, rest, decoded: clixml && decodeClixml(Buffer.from(clixml, 'base64').toString('utf8')) }
}

describe('encodeRun', () => {
  test('is one line whatever a value holds', () => {
    const { line, decoded } = encoded({ Text: 'a\r\nb\u2028"}\n{"op":"close"}' })

    expect(line).not.toMatch(/[\r\n\u2028]/)
    expect(decoded).toEqual(new Map([['Text', 'a\r\nb\u2028"}\n{"op":"close"}']]))
  })

  test('leaves out what is not there', () => {
    expect(encoded({}).rest).toEqual({ op: 'run', id: 7, name: 'Set-Thing' })
  })

  test('sends secrets beside the other parameters', () => {
    const { rest, decoded } = encoded({
      Password: new PsSecureString('geheim'),
      Credential: new PsCredential('svc', 'geheim'),
      Name: 'n',
    })

    expect(decoded).toEqual(new Map([['Name', 'n']]))
    expect(rest.secrets).toEqual([
      { name: 'Password', kind: 'securestring', text: 'Z2VoZWlt' },
      { name: 'Credential', kind: 'credential', user: 'c3Zj', text: 'Z2VoZWlt' },
    ])
  })

  test('takes a name such as __proto__ for a parameter like any other', () => {
    const { decoded } = encoded(JSON.parse('{"__proto__":"x"}'))

    expect(decoded).toEqual(new Map([['__proto__', 'x']]))
  })

  test.each([
    ['a secret within a list', [new PsSecureString('geheim')]],
    ['a date that is none', new Date(Number.NaN)],
    ['too much text', 'x'.repeat(9_000_000)],
  ])('refuses %s', (_, value) => {
    expect(() => encoded({ Value: value as PsValue })).toThrow(expect.objectContaining({ name: 'PermanentError' }))
  })
})
