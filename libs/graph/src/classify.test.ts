import { PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { classifyConnection, classifyRefusal, classifySignIn } from './classify.ts'

const subject = { permission: 'Device.Read.All' }
const refusal = (status: number, code = 'x') => ({ status, body: { error: { code, message: 'm' } }, requestId: 'r' })

describe('an answer of Graph', () => {
  it.each([
    [400, 'graph-request-refused', PermanentError],
    [401, 'graph-unauthorized', PermanentError],
    [403, 'graph-permission-missing', PermanentError],
    [404, 'graph-not-found', PermanentError],
    [405, 'graph-request-refused', PermanentError],
    [410, 'graph-delta-expired', PermanentError],
    [302, 'graph-unavailable', RetryableError],
    [429, 'graph-throttled', RetryableError],
    [500, 'graph-unavailable', RetryableError],
    [503, 'graph-unavailable', RetryableError],
    [509, 'graph-throttled', RetryableError],
  ])('with status %i becomes %s', (status, code, kind) => {
    const error = classifyRefusal(refusal(status), subject)

    expect(error).toBeInstanceOf(kind)
    expect(error).toMatchObject({ code, detail: { status, graphCode: 'x', requestId: 'r' } })
  })

  it('names the permission to grant', () => {
    expect(classifyRefusal(refusal(403), subject).message).toContain('Device.Read.All')
  })

  it('names the group that is gone', () => {
    const error = classifyRefusal(refusal(404), { ...subject, groupId: 'g1' })

    expect(error).toMatchObject({ code: 'graph-group-unknown', message: expect.stringContaining('g1') })
  })

  it('says when to come back', () => {
    expect(classifyRefusal({ ...refusal(429), retryAfterMs: 2_128 }, subject)).toMatchObject({ retryAfterMs: 2_128 })
  })

  it('that is not Graph’s does not spoil the error', () => {
    expect(classifyRefusal({ status: 502, body: '<html>' }, subject).code).toBe('graph-unavailable')
  })
})

describe('a refused sign-in', () => {
  it.each([
    [7000215, 'graph-credentials-invalid', 'clientSecretFile'],
    [7000222, 'graph-credentials-invalid', 'expired'],
    [7000112, 'graph-credentials-invalid', 'disabled'],
    [700016, 'graph-application-unknown', 'graph.clientId'],
    [90002, 'graph-tenant-unknown', 'graph.tenantId'],
    [900023, 'graph-tenant-unknown', 'graph.tenantId'],
    [500011, 'graph-endpoint-unknown', 'graph.endpoint'],
    [53003, 'graph-sign-in-blocked', 'Conditional Access'],
  ])('AADSTS%i becomes %s and says what to do', (number, code, hint) => {
    const error = classifySignIn({ error: 'invalid_client', text: `AADSTS${number}: text of Microsoft's` }, undefined)

    expect(error).toBeInstanceOf(PermanentError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(hint) })
  })

  it('with a number not known is told apart by the OAuth error', () => {
    expect(classifySignIn({ error: 'invalid_client', text: 'AADSTS1: x' }, undefined).code).toBe('graph-sign-in-refused')
    expect(classifySignIn({ error: 'temporarily_unavailable', text: '' }, undefined).code).toBe('graph-unavailable')
  })
})

it('tells a refused certificate from a lost connection', () => {
  const of = (code: string) => classifyConnection(Object.assign(new Error('x'), { code }), 'Graph').code

  expect(of('SELF_SIGNED_CERT_IN_CHAIN')).toBe('graph-certificate-refused')
  expect(of('UND_ERR_RES_EXCEEDED_MAX_SIZE')).toBe('graph-answer-too-large')
  expect(of('ECONNRESET')).toBe('graph-unavailable')
})
