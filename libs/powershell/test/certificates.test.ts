import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCertificate, hasOpenssl, type TestCertificate } from '../../../test/environment/create-certificate.ts'
import { createRemotingEngine, type WsmanTransportOptions } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, options, signal, start, transportOf } from './open-pool.ts'

describe.skipIf(!hasOpenssl)('https', () => {
  let tls: TestCertificate
  let other: TestCertificate
  let ofAnotherName: TestCertificate

  beforeAll(() => {
    tls = createCertificate()
    other = createCertificate()
    ofAnotherName = createCertificate('DNS:ex9.contoso.com')
  })
  afterEach(closeAll)

  const open = async (url: string, o: Partial<WsmanTransportOptions>) => {
    const engine = createRemotingEngine({ transport: { ...transportOf(url), ...o }, shellsMax: 1 })
    cleanUp.push(engine)
    return await engine.open({ runspaces: 1, signal })
  }

  test('works with a certificate that the settings trust', async () => {
    const server = await start(completeAtOnce, { tls })

    const pool = await open(server.url, { ca: tls.cert })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test('refuses another certificate, for good, before any request and naming what it saw', async () => {
    const server = await start(completeAtOnce, { tls })

    const error = await open(server.url, {}).catch((reason: unknown) => reason)

    expect(error).toMatchObject({
      name: 'PermanentError',
      code: 'wsman-certificate-refused',
      detail: { errorCode: 'DEPTH_ZERO_SELF_SIGNED_CERT', mayHaveRun: false, certificateSha256: plain(tls) },
      message: expect.stringContaining(plain(tls)),
    })
    expect(server.requests).toEqual([])
  })

  test('refuses a trusted certificate of another name', async () => {
    const server = await start(completeAtOnce, { tls: ofAnotherName })

    await expect(open(server.url, { ca: ofAnotherName.cert })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-certificate-refused',
      detail: { errorCode: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
    expect(server.requests).toEqual([])
  })

  test.each<[string, (sha256: string) => string]>([
    ['with colons', (sha256) => sha256],
    ['without', (sha256) => sha256.replaceAll(':', '').toLowerCase()],
  ])('works with a pinned certificate, whatever its issuer and name, written %s', async (_how, write) => {
    const server = await start(completeAtOnce, { tls: ofAnotherName })

    const pool = await open(server.url, { certificateSha256: write(ofAnotherName.sha256) })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test('refuses any certificate but the pinned one, naming both', async () => {
    const server = await start(completeAtOnce, { tls })

    const error = await open(server.url, { certificateSha256: other.sha256 }).catch((reason: unknown) => reason)

    expect(error).toMatchObject({ name: 'PermanentError', code: 'wsman-certificate-refused' })
    expect(error).toMatchObject({ message: expect.stringContaining(plain(tls)) })
    expect(error).toMatchObject({ message: expect.stringContaining(plain(other)) })
    expect(server.requests).toEqual([])
  })

  test('with a pin and an authority, both must hold', async () => {
    const server = await start(completeAtOnce, { tls })
    const refused = { name: 'PermanentError', code: 'wsman-certificate-refused' }

    await expect(open(server.url, { ca: other.cert, certificateSha256: tls.sha256 })).rejects.toMatchObject(refused)
    await expect(open(server.url, { ca: tls.cert, certificateSha256: other.sha256 })).rejects.toMatchObject(refused)
    expect(server.requests).toEqual([])
    const pool = await open(server.url, { ca: tls.cert, certificateSha256: tls.sha256 })
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test('checks the certificate of every new socket, not only of the first', async () => {
    const server = await start(completeAtOnce, { tls })
    const pool = await open(server.url, { certificateSha256: tls.sha256 })
    await pool.invoke(command, options)
    server.changeCertificate(other)
    server.cut()
    const before = server.requests.length

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      code: 'wsman-certificate-refused',
      detail: { mayHaveRun: false, shellLost: true },
    })
    expect(server.requests).toHaveLength(before)
  })

  test.each(['', 'AB', 'zz'.repeat(32), `${'AB:'.repeat(31)}A`])('is refused for the fingerprint "%s"', (certificateSha256) => {
    expect(() =>
      createRemotingEngine({ transport: { ...transportOf('https://ex1/PowerShell/'), certificateSha256 }, shellsMax: 1 }),
    ).toThrow(expect.objectContaining({ code: 'wsman-settings-refused' }))
  })
})

function plain({ sha256 }: TestCertificate): string {
  return sha256.replaceAll(':', '')
}
