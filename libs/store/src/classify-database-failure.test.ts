import { expect, it } from 'vitest'
import { classifyDatabaseFailure } from './classify-database-failure.ts'

const withCode = (code: string, message: string) => Object.assign(new Error(message), { code })

it.each([
  ['28P01', 'password authentication failed for user "gh"', 'database-login-refused'],
  ['28000', 'role "gh" does not exist', 'database-login-refused'],
  ['3D000', 'database "gatehouse" does not exist', 'database-missing'],
  ['42501', 'permission denied for table mailboxes', 'database-rights-missing'],
])('names what PostgreSQL refuses with %s, in its words', (state, message, code) => {
  expect(classifyDatabaseFailure(withCode(state, message))).toMatchObject({
    name: 'PermanentError',
    code,
    message: expect.stringContaining(`${message}; `),
  })
})

it('sees that nobody answers, and leaves alone what is neither', () => {
  const failed = withCode('23505', 'duplicate key')

  expect(classifyDatabaseFailure(withCode('ECONNREFUSED', ''))).toMatchObject({ code: 'database-unreachable' })
  expect(classifyDatabaseFailure(failed)).toBe(failed)
})
