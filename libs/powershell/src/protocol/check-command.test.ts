import { expect, test } from 'vitest'
import { checkCommand } from './check-command.ts'
import type { PsValue } from './ps-value.ts'

test.each(['', 'Get-Process; calc', '$(calc)', 'C:\\x.ps1', 'Module\\Get-X', 'Get-Mailbox ', '& Get-X', 'Get‑Mailbox'])(
  'refuses the command name %j',
  (name) => {
    expect(() => checkCommand({ name, parameters: {} })).toThrow(expect.objectContaining({ code: 'command-name-refused' }))
  },
)

test.each(['', '-Identity', 'Identity:', 'a b', '1;2'])('refuses the parameter name %j', (name) => {
  expect(() => checkCommand({ name: 'Get-X', parameters: { [name]: 1 } })).toThrow(
    expect.objectContaining({ code: 'parameter-name-refused' }),
  )
})

test.each<[string, PsValue]>([
  ['empty string', ''],
  ['space', ' \t'],
  ['null', null],
  ['empty list', []],
  ['list with an empty string', ['a', '']],
])('refuses an identity that is an %s, whatever its case', (_what, value) => {
  expect(() => checkCommand({ name: 'Get-X', parameters: { iDENTITY: value } })).toThrow(
    expect.objectContaining({ code: 'empty-identity' }),
  )
})

test('lets an ordinary command pass, with null for other parameters', () => {
  expect(() =>
    checkCommand({ name: 'Set-CASMailbox', parameters: { Identity: 'a', ActiveSyncMailboxPolicy: null } }),
  ).not.toThrow()
})
