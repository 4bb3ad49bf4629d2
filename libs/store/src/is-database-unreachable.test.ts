import { RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { isDatabaseUnreachable } from './is-database-unreachable.ts'

const withCode = (code: string, message = 'x') => Object.assign(new Error(message), { code })

it.each([
  ['a server that is not there', withCode('ECONNREFUSED')],
  ['a server that is shutting down', withCode('57P01')],
  ['a server that is starting', withCode('57P03')],
  ['a server without a connection to spare', withCode('53300')],
  ['a connection that was lost', new Error('Connection terminated unexpectedly')],
  ['a password that is just being changed', withCode('28P01')],
  ['a database that is just being restored', withCode('3D000')],
  ['our transaction, ended for sitting idle', withCode('25P03')],
  ['the connection of the locks, which was lost', new RetryableError('lock-connection-lost', 'Lost')],
  ['a connection that was not made in time', new Error('timeout exceeded when trying to connect')],
])('sees that the database cannot be reached: %s', (_what, error) => {
  expect(isDatabaseUnreachable(error)).toBe(true)
})

it.each([
  ['a statement that failed', withCode('23505')],
  ['a statement that was too slow', withCode('57014')],
  ['a deadlock', withCode('40P01')],
  ['something else', new Error('The mail server terminated the Connection terminated')],
  ['no error', 'ECONNREFUSED'],
])('does not take it for unreachable: %s', (_what, error) => {
  expect(isDatabaseUnreachable(error)).toBe(false)
})
