import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createRemotingEngine } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, options, signal, start, transportOf } from './open-pool.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
let directory: string
let tls: { key: string; cert: string }

describe.skipIf(!hasOpenssl)('https', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'gatehouse-certificate-'))
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=ex1',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    )
    tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  })
  afterEach(closeAll)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('works with a certificate that the settings trust', async () => {
    const server = await start(completeAtOnce, { tls })
    const engine = createRemotingEngine({ transport: { ...transportOf(server.url), ca: tls.cert }, shellsMax: 1 })
    cleanUp.push(engine)

    const pool = await engine.open({ runspaces: 1, signal })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test('refuses another certificate, for good and before any request', async () => {
    const server = await start(completeAtOnce, { tls })
    const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 1 })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 1, signal })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-certificate-refused',
    })
    expect(server.requests).toEqual([])
  })
})
