import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { describe, expect, it } from 'vitest'
import { createEwsSender } from '../src/index.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const log = { debug() {}, info() {}, warn() {}, error() {} }

function createCertificate(): { key: string; cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-certificate-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ex1'.split(' ')
  execFileSync('openssl', ['req', ...kind, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  rmSync(directory, { recursive: true })
  return tls
}

describe.skipIf(!hasOpenssl)('https', () => {
  it('works with a certificate that the settings trust, and shows the password to no other', async ({ signal }) => {
    await using stack = new AsyncDisposableStack()
    const tls = createCertificate()
    const simulator = await startExchangeSimulator({
      population: createPopulation({ devices: 10, seed: 1 }),
      port: 0,
      latencyMs: 0,
      tls,
    })
    stack.defer(() => simulator.stop())
    const options = { url: simulator.ewsUrl, user: simulator.notificationUser, password: simulator.notificationPassword, log }
    const trusting = stack.use(createEwsSender({ ...options, ca: tls.cert }))
    const wary = stack.use(createEwsSender(options))

    expect(await trusting.wasSent('x', signal)).toBe(false)
    await expect(wary.wasSent('x', signal)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'ews-certificate',
      detail: { scope: 'account', sent: 'no' },
    })
  })
})
