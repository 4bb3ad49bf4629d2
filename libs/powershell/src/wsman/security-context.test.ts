import { describe, expect, test } from 'vitest'
import { createKerberosContexts } from './security-context.ts'

type Created = { service: string; options: Record<string, unknown> }

function fakePackage(o: { fails?: string; token?: string } = {}) {
  const created: Created[] = []
  const client = { contextComplete: false, step: async () => o.token ?? 'VE9LRU4=' }
  const load = async () => ({
    default: {
      GSS_MECH_OID_SPNEGO: 6,
      GSS_MECH_OID_KRB5: 9,
      GSS_C_MUTUAL_FLAG: 2,
      GSS_C_REPLAY_FLAG: 4,
      GSS_C_SEQUENCE_FLAG: 8,
      initializeClient: async (service: string, options: Record<string, unknown>) => {
        created.push({ service, options })
        if (o.fails !== undefined) throw new Error(o.fails)
        return client
      },
    },
  })
  return { created, load }
}

const target = { host: 'ex1.contoso.com', mechanism: 'negotiate', user: undefined, password: undefined } as const

describe('contexts of the package kerberos', () => {
  test('ask for mutual authentication with the HTTP service of the host', async () => {
    const { created, load } = fakePackage()

    const context = await createKerberosContexts(load, 'linux')(target)

    expect(created).toEqual([{ service: 'HTTP@ex1.contoso.com', options: { mechOID: 6, gssFlags: 14 } }])
    expect(await context.step(undefined)).toBe('VE9LRU4=')
    expect(context.isComplete).toBe(false)
  })

  test('name the principal, the bare mechanism, and on Windows the account by its parts', async () => {
    const { created, load } = fakePackage()

    await createKerberosContexts(load, 'linux')({ ...target, mechanism: 'kerberos', user: 'svc@CONTOSO.COM' })
    await createKerberosContexts(load, 'win32')({ ...target, user: 'CONTOSO\\svc', password: 'secret' })

    expect(created).toMatchObject([
      { service: 'HTTP@ex1.contoso.com', options: { mechOID: 9, principal: 'svc@CONTOSO.COM' } },
      { service: 'HTTP/ex1.contoso.com', options: { user: 'svc', domain: 'CONTOSO', password: 'secret' } },
    ])
  })

  test('say how to install the package when it is not there', async () => {
    const create = createKerberosContexts(() => Promise.reject(new Error("Cannot find package 'kerberos'")))

    await expect(create(target)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-negotiate-unavailable',
      message: expect.stringContaining('npm install kerberos@7.0.0'),
    })
  })

  test('have no token to send where the package has none', async () => {
    const { load } = fakePackage({ token: '' })

    expect(await (await createKerberosContexts(load)(target)).step('AAAA')).toBeUndefined()
  })

  test.each([
    ['No credentials were supplied, or the credentials were unavailable or inaccessible: No Kerberos credentials available'],
    [
      "No credentials were supplied, or the credentials were unavailable or inaccessible: Can't find client principal svc@CONTOSO.COM in cache collection",
    ],
    [
      'Unspecified GSS failure.  Minor code may provide more information: Server HTTP/ex1@CONTOSO.COM not found in Kerberos database',
    ],
    ['The logon attempt failed'],
  ])('are refused for good: %s', async (fails) => {
    await expect(createKerberosContexts(fakePackage({ fails }).load)(target)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-unauthorized',
    })
  })

  test('are worth another try when no KDC answers', async () => {
    const { load } = fakePackage({
      fails:
        "Unspecified GSS failure.  Minor code may provide more information: Cannot contact any KDC for realm 'CONTOSO.COM'",
    })

    await expect(createKerberosContexts(load)(target)).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'wsman-negotiate-failed',
    })
  })
})
