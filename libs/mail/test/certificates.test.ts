import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { describe, expect, it } from 'vitest'
import { createCertificate, hasOpenssl } from '../../../test/environment/create-certificate.ts'
import { createEwsSender } from '../src/index.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

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
