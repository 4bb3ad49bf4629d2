import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ExchangeState } from '../src/exchange/exchange-state.ts'
import {
  type ExchangeSimulator,
  type ExchangeSimulatorOptions,
  startExchangeSimulator,
} from '../src/exchange/start-exchange-simulator.ts'
import { createPopulation } from '../src/population/create-population.ts'

const population = createPopulation({ devices: 30, seed: 5 })
const HEADER =
  '<t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Gatehouse-Id" PropertyType="String"/>'
let simulator: ExchangeSimulator

async function start(o: Partial<ExchangeSimulatorOptions> = {}) {
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0, ewsLatencyMs: 0, ...o })
}
beforeEach(() => start())
afterEach(() => simulator.stop())

async function readState(): Promise<ExchangeState> {
  return (await (await fetch(`${simulator.simulatorUrl}/state`)).json()) as ExchangeState
}

async function post(body: string, o: { version?: string; type?: string; password?: string } = {}) {
  const text = `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><soap:Header><t:RequestServerVersion Version="${o.version ?? 'Exchange2013_SP1'}"/></soap:Header><soap:Body>${body}</soap:Body></soap:Envelope>`
  const credentials = `${simulator.notificationUser}:${o.password ?? simulator.notificationPassword}`
  const response = await fetch(simulator.ewsUrl, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': o.type ?? 'text/xml; charset=utf-8',
    },
    body: text,
  })
  return { status: response.status, text: await response.text() }
}

function mail(stamp: string, o: { to?: string; message?: string; disposition?: string } = {}): string {
  const message =
    o.message ??
    `<t:Subject>Enrol your phone</t:Subject><t:Body BodyType="HTML">&lt;p&gt;Hello&lt;/p&gt;</t:Body><t:ExtendedProperty>${HEADER}<t:Value>${stamp}</t:Value></t:ExtendedProperty><t:ToRecipients><t:Mailbox><t:EmailAddress>${o.to ?? 'a@contoso.com'}</t:EmailAddress></t:Mailbox></t:ToRecipients>`
  const disposition = o.disposition ?? ' MessageDisposition="SendAndSaveCopy"'
  return `<m:CreateItem${disposition}><m:SavedItemFolderId><t:DistinguishedFolderId Id="sentitems"/></m:SavedItemFolderId><m:Items><t:Message>${message}</t:Message></m:Items></m:CreateItem>`
}

function find(
  restriction: string,
  view = '<m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"/>',
): string {
  return `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>${HEADER}</t:AdditionalProperties></m:ItemShape>${view}<m:Restriction>${restriction}</m:Restriction><m:ParentFolderIds><t:DistinguishedFolderId Id="sentitems"/></m:ParentFolderIds></m:FindItem>`
}

const equals = (stamp: string) =>
  `<t:IsEqualTo>${HEADER}<t:FieldURIOrConstant><t:Constant Value="${stamp}"/></t:FieldURIOrConstant></t:IsEqualTo>`

describe('sending', () => {
  it('keeps the mail in Sent Items, where its stamp finds it', async () => {
    const sent = await post(mail('block:1'))
    const found = await post(find(equals('block:1')))
    const contained = await post(
      find(
        `<t:Contains ContainmentMode="Prefixed" ContainmentComparison="IgnoreCase">${HEADER}<t:Constant Value="BLOCK:"/></t:Contains>`,
      ),
    )
    const missing = await post(find(equals('block:2')))

    expect(sent.text).toContain('ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items/>')
    expect(found.text).toContain('TotalItemsInView="1" IncludesLastItemInRange="true"')
    expect(found.text).toContain('<t:Value>block:1</t:Value>')
    expect(contained.text).toContain('TotalItemsInView="1"')
    expect(missing.text).toContain('TotalItemsInView="0"')
    expect((await readState()).mails).toMatchObject([{ to: ['a@contoso.com'], stamp: 'block:1', subject: 'Enrol your phone' }])
  })
  it('pages, newest first', async () => {
    for (const number of [1, 2, 3]) await post(mail(`s:${number}`))

    const page = await post(
      find(
        `<t:Exists>${HEADER}</t:Exists>`,
        '<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="Beginning"/>',
      ),
    )

    expect(page.text).toContain('IndexedPagingOffset="2" TotalItemsInView="3" IncludesLastItemInRange="false"')
    expect([...page.text.matchAll(/<t:Value>(s:\d)/g)].map((match) => match[1])).toEqual(['s:3', 's:2'])
  })
  it('tells of a mail that was sent twice', async () => {
    for (const stamp of ['twice', 'once', 'twice']) await post(mail(stamp))

    expect((await readState()).mailsTwice).toEqual([{ stamp: 'twice', times: 2 }])
  })
})

describe('the schema', () => {
  const to = '<t:ToRecipients><t:Mailbox><t:EmailAddress>a@b.c</t:EmailAddress></t:Mailbox></t:ToRecipients>'

  it.each([
    ['elements in the wrong order', mail('', { message: `${to}<t:Subject>x</t:Subject>` })],
    ['an element of the wrong namespace', mail('', { message: `<m:Subject>x</m:Subject>${to}` })],
    ['a Body without its type', mail('', { message: `<t:Body>x</t:Body>${to}` })],
    ['markup inside the Body', mail('', { message: `<t:Body BodyType="HTML"><p>x</p></t:Body>${to}` })],
    [
      'a view behind the restriction',
      find(equals('x'), '').replace(
        '<m:ParentFolderIds>',
        '<m:IndexedPageItemView Offset="0" BasePoint="Beginning"/><m:ParentFolderIds>',
      ),
    ],
    ['a FindItem without Traversal', find(equals('x')).replace(' Traversal="Shallow"', '')],
    ['a property without a type', find(equals('x').replace(' PropertyType="String"', ''))],
  ])('refuses %s', async (_name, body) => {
    const answer = await post(body)

    expect(answer.status).toBe(500)
    expect(answer.text).toContain(
      '<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorSchemaValidation<',
    )
    expect((await readState()).mailCount).toBe(0)
  })
  it('refuses an unknown server version, another content type and wrong credentials', async () => {
    expect((await post(mail('x'), { version: 'Exchange2099' })).text).toContain('a:ErrorInvalidServerVersion')
    expect((await post(mail('x'), { type: 'application/json' })).status).toBe(415)
    expect((await post(mail('x'), { password: 'no' })).status).toBe(401)
  })
  it('answers HTTP 200 and an error for what is wrong with one mail', async () => {
    const nobody = await post(mail('x', { to: 'nobody' }))
    const noDisposition = await post(mail('x', { disposition: '' }))
    const asAnother = await post(
      mail('x', { message: `${to}<t:From><t:Mailbox><t:EmailAddress>boss@contoso.com</t:EmailAddress></t:Mailbox></t:From>` }),
    )

    expect(nobody.status).toBe(200)
    expect(nobody.text).toContain('ResponseClass="Error"')
    expect(nobody.text).toContain('<m:ResponseCode>ErrorInvalidRecipients<')
    expect(noDisposition.text).toContain('<m:ResponseCode>ErrorMessageDispositionRequired<')
    expect(asAnother.text).toContain('<m:ResponseCode>ErrorSendAsDenied<')
  })
})

describe('throttling', () => {
  it('says how long to stay away and counts who comes before', async () => {
    await simulator.stop()
    await start({ faults: { ews: { busyPercent: 100, backOffMs: 60_000 } } })

    const busy = await post(mail('x'))
    const tooSoon = await post(mail('x'))

    expect(busy.status).toBe(500)
    expect(busy.text).toMatch(/<t:MessageXml xmlns:t="[^"]+\/types"><t:Value Name="BackOffMilliseconds">60000<\/t:Value>/)
    expect(Number(/BackOffMilliseconds">(\d+)/.exec(tooSoon.text)?.[1])).toBeLessThanOrEqual(60_000)
    expect((await readState()).refusals).toMatchObject({ ErrorServerBusy: 2, 'ews-came-before-backoff': 1 })
  })
  it('refuses the twenty-eighth request at a time', async () => {
    await simulator.stop()
    await start({ ewsLatencyMs: 300 })

    const answers = await Promise.all(Array.from({ length: 28 }, (_, index) => post(mail(`c:${index}`))))

    expect(answers.filter((answer) => answer.text.includes('a:ErrorExceededConnectionCount')).length).toBe(1)
  })
  it('cuts the connection after the mail has been sent, when the plan says so', async () => {
    await simulator.stop()
    await start({ faults: { ews: { lostAnswerPercent: 100 } } })

    await expect(post(mail('lost'))).rejects.toThrow()

    expect((await post(find(equals('lost')))).text).toContain('TotalItemsInView="1"')
  })
})
