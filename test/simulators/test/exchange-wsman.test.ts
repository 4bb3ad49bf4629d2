import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ExchangeSimulator, startExchangeSimulator } from '../src/exchange/start-exchange-simulator.ts'
import { createPopulation } from '../src/population/create-population.ts'
import { ACTIONS, envelope, faultCode, PROTOCOL_OPTION, post, RawShell, shellBody } from './raw-exchange-client.ts'

const STOP = 'powershell/signal/crtl_c'
const population = createPopulation({ devices: 60, seed: 5 })
let simulator: ExchangeSimulator

beforeEach(async () => {
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0 })
})
afterEach(async () => {
  await simulator.stop()
})

async function readState() {
  return (await (await fetch(`${simulator.simulatorUrl}/state?brief`)).json()) as {
    shellsOpen: number
    shellsExpired: number
    orphans: number
    mostShells: number
    refusals: Record<string, number>
    cmdlets: Record<string, number>
  }
}

async function restart(o: { latencyMs?: number; faults?: unknown; idleTimeoutDivisor?: number; commandsPerShellMax?: number }) {
  await simulator.stop()
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0, ...o })
}

describe('the PowerShell endpoint', () => {
  it('opens a shell, runs a cmdlet and closes the shell', async () => {
    const shell = await new RawShell(simulator).open()

    const result = await shell.invoke('Get-ExchangeServer')
    const deleted = await shell.delete()

    expect(result).toMatchObject({ state: 'completed', errors: [] })
    expect(result.output.length).toBe(population.organization.servers.length)
    expect(deleted.status).toBe(200)
    expect(await readState()).toMatchObject({ shellsOpen: 0, cmdlets: { 'Get-ExchangeServer': 1 } })
  })
  it('answers 401 and its schemes to wrong and to missing credentials', async () => {
    const wrong = await post({ ...simulator, password: 'wrong' }, 'x')
    const missing = await fetch(simulator.url, { method: 'POST', body: 'x' })

    expect([wrong.status, missing.status]).toEqual([401, 401])
    expect(wrong.headers.get('www-authenticate')).toContain('Basic realm=')
    expect((await readState()).refusals).toEqual({ unauthorized: 2 })
  })
  it('keeps the notification account out of PowerShell', async () => {
    const { notificationUser: user, notificationPassword: password } = simulator

    expect((await post({ url: simulator.url, user, password }, 'x')).status).toBe(401)
  })
  it('does not find a shell without its cookie, with another cookie, or under another id', async () => {
    const shell = await new RawShell(simulator).open()
    const body = '<rsp:Receive><rsp:DesiredStream>stdout</rsp:DesiredStream></rsp:Receive>'

    const answers = [
      await shell.send(ACTIONS.receive, body, { cookie: 'other=1' }),
      await shell.send(ACTIONS.receive, body, { cookie: 'MS-WSMAN=00000000-0000-0000-0000-000000000000' }),
      await shell.send(ACTIONS.receive, body, { shellId: 'D5C38865-CC9C-4B0D-A218-916D3C42288C' }),
    ]

    expect(answers.map(faultCode)).toEqual([2150858843, 2150858843, 2150858843])
    expect(answers[2]?.text).toContain(
      '[FailureCategory=WSMan-InvalidShellID] The request for the Windows Remote Shell with ShellId',
    )
    expect(answers[2]?.text).toMatch(/\[ClientAccessServer=\w+,BackEndServer=[\w.]+,RequestId=[\w-]+,TimeStamp=[^\]]+\]/)
    expect((await readState()).refusals).toMatchObject({ 'cookie-missing': 2, 'shell-not-found': 3 })
  })
  it('refuses the nineteenth shell of an account and takes one more after a Delete', async () => {
    const shells = await Promise.all(Array.from({ length: 18 }, () => new RawShell(simulator).open()))

    const refused = await new RawShell(simulator).create()
    await shells[0]?.delete()
    const taken = await new RawShell(simulator).create()

    expect(faultCode(refused)).toBe(2150859173)
    expect(refused.text).toContain('This user is allowed a maximum number of 18 concurrent shells, which has been exceeded.')
    expect(taken.status).toBe(200)
    expect((await readState()).mostShells).toBe(18)
  })
  it('closes a shell whose client is gone once its idle timeout has passed, and counts it until then', async () => {
    await restart({ idleTimeoutDivisor: 30 })
    const shell = await new RawShell(simulator).open('PT60.000S')
    const before = await readState()

    await expect.poll(async () => (await readState()).shellsOpen).toBe(0)

    expect(before.shellsOpen).toBe(1)
    expect(await readState()).toMatchObject({ shellsExpired: 1, orphans: 0 })
    expect(faultCode(await shell.send(ACTIONS.delete, ''))).toBe(2150858843)
  })
  it('answers a Receive that has nothing to say with the timeout fault, unprefixed', async () => {
    const shell = await new RawShell(simulator).open()

    const { answer } = await shell.receive(undefined, 'PT0.050S')

    expect(answer.status).toBe(500)
    expect(faultCode(answer)).toBe(2150858793)
    expect(answer.text).not.toContain('ClientAccessServer')
  })
  it('relates every answer to the MessageID it answers', async () => {
    const shell = await new RawShell(simulator).open()
    const messageId = '74B2315E-0D07-4FBD-AE72-9AB784E6D555'

    const answer = await shell.send(ACTIONS.delete, '', { messageId })

    expect(answer.text).toContain(`<a:RelatesTo>uuid:${messageId}</a:RelatesTo>`)
  })
})

describe('what the service refuses', () => {
  const create = (o: Partial<Parameters<typeof envelope>[1]> = {}) => {
    const body = shellBody(new RawShell(simulator).pool)
    return post(simulator, envelope(simulator, { action: ACTIONS.create, body, options: PROTOCOL_OPTION, ...o }))
  }

  it.each([
    ['an unknown resource', { resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell' }, 2150858811],
    ['an unknown action', { action: 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Get' }, 2150858771],
    ['another address', { to: 'http://127.0.0.1/wsman' }, 2150858770],
    ['a header it must and does not understand', { headers: '<x:Y xmlns:x="urn:x" s:mustUnderstand="true"/>' }, 2150858768],
    ['a Locale it must understand', { headers: '<w:Locale xml:lang="en-US" s:mustUnderstand="true"/>' }, 2150858887],
    ['an envelope size below the least', { maxEnvelopeSize: 4096 }, 2150858878],
    ['a missing protocol version', { options: '' }, 2152991687],
    [
      'a missing creationXml',
      {
        body: '<rsp:Shell><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>',
      },
      2150858791,
    ],
  ])('is %s', async (_name, parts, code) => {
    const answer = await create(parts)

    expect(answer.status).toBe(500)
    expect(faultCode(answer)).toBe(code)
  })
  it('is an idle timeout below one minute', async () => {
    expect((await new RawShell(simulator).create('PT30.000S')).text).toContain('outside the allowed range of 60000')
  })
  it('is another content type, another method, another path and an oversized envelope', async () => {
    const headers = { authorization: `Basic ${Buffer.from(`${simulator.user}:${simulator.password}`).toString('base64')}` }
    const wrongType = await post(simulator, 'x', { 'content-type': 'text/xml' })
    const wrongMethod = await fetch(simulator.url, { headers })
    const wrongPath = await fetch(simulator.url.replace('PowerShell', 'wsman'), { method: 'POST', headers })
    const tooLarge = await post(simulator, `<x>${'y'.repeat(520_000)}</x>`)

    expect([wrongType.status, wrongMethod.status, wrongPath.status, tooLarge.status]).toEqual([415, 405, 404, 413])
  })
  it('is malformed XML and a DOCTYPE', async () => {
    expect(faultCode(await post(simulator, '<a><b></a>'))).toBe(2150858819)
    expect(faultCode(await post(simulator, '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'))).toBe(2150858819)
  })
  it('is an unknown command and garbage instead of fragments', async () => {
    const shell = await new RawShell(simulator).open()
    const id = 'A0A0A0A0-0000-4000-8000-000000000000'

    expect(faultCode((await shell.receive(id)).answer)).toBe(2152991677)
    expect(faultCode(await shell.signal(id, STOP))).toBe(2152991677)
    expect(faultCode(await shell.command(id, Buffer.alloc(40, 1).toString('base64')))).toBe(2152991674)
  })
})

describe('pipelines', () => {
  it('run one at a time in a shell, and all at once in several', async () => {
    await restart({ latencyMs: 60 })
    const [one, two] = await Promise.all([new RawShell(simulator).open(), new RawShell(simulator).open()])

    const started = await Promise.all([
      one.start('Get-ExchangeServer'),
      one.start('Get-ExchangeServer'),
      two.start('Get-ExchangeServer'),
    ])
    const before = performance.now()
    await Promise.all([one.collect(started[0].id), one.collect(started[1].id), two.collect(started[2].id)])

    expect(performance.now() - before).toBeGreaterThan(80)
    expect(await readState()).toMatchObject({ mostPipelines: 2 })
  })
  it('stop on the signal that PowerShell misspells, before they have changed anything', async () => {
    await restart({ latencyMs: 5_000 })
    const shell = await new RawShell(simulator).open()
    const { id } = await shell.start('Set-CASMailbox', {
      Identity: population.mailboxes[0]?.guid ?? '',
      ActiveSyncAllowedDeviceIDs: ['Z'],
    })

    const signalled = await shell.signal(id, STOP)
    const result = await shell.collect(id)

    expect(signalled.status).toBe(200)
    expect(result.state).toBe('stopped')
    expect(result.reason?.fullyQualifiedErrorId).toBe('PipelineStopped')
    expect(await readState()).toMatchObject({ writes: 0, pipelines: 0 })
  })
  it('hang when the plan says so, and stop all the same', async () => {
    await restart({ faults: { hang: { percent: 100, names: ['Get-ExchangeServer'] } } })
    const shell = await new RawShell(simulator).open()
    const { id } = await shell.start('Get-ExchangeServer')

    const { answer } = await shell.receive(id, 'PT0.050S')
    await shell.signal(id, STOP)

    expect(faultCode(answer)).toBe(2150858793)
    expect((await shell.collect(id)).state).toBe('stopped')
    expect((await shell.invoke('Get-ActiveSyncOrganizationSettings')).state).toBe('completed')
  })
  it('are split over as many Receives as the client envelope needs', async () => {
    const shell = await new RawShell(simulator).open()
    shell.maxEnvelopeSize = 12_000

    const result = await shell.invoke('Get-MobileDevice')

    expect(result.output.length).toBe(60)
    expect(result.receives).toBeGreaterThan(10)
  })
  it('are compressed for whoever says gzip', async () => {
    const shell = await new RawShell(simulator).open()
    const text = envelope(simulator, { action: ACTIONS.delete, body: '', shellId: 'NONE' })

    const encoding = await new Promise((resolve) => {
      const sent = request(simulator.url, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${simulator.user}:${simulator.password}`).toString('base64')}`,
          'content-type': 'application/soap+xml;charset=UTF-8',
          'accept-encoding': 'gzip, deflate',
          cookie: shell.cookie,
        },
      })
      sent.on('response', (response) => {
        response.resume()
        resolve(response.headers['content-encoding'])
      })
      sent.end(text)
    })

    expect(encoding).toBe('gzip')
  })
  it('that nobody terminates fill the shell', async () => {
    await restart({ commandsPerShellMax: 3 })
    const shell = await new RawShell(simulator).open()
    const ended = await shell.invoke('Nothing')
    const statuses = []
    for (let number = 0; number < 3; number += 1) statuses.push((await shell.start('Nothing')).answer.status)

    const refused = await shell.start('Nothing')

    expect(ended.state).toBe('failed')
    expect(statuses).toEqual([200, 200, 200])
    expect(faultCode(refused.answer)).toBe(2150859241)
  })
})
