import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { childOf, readXml, type XmlElement } from '../read-xml.ts'
import { type ItemToSend, readCreateItem } from './create-item.ts'
import { MESSAGES, SOAP_11, TYPES } from './ews-namespaces.ts'
import { type EwsFault, schemaFault, writeEwsFault, writeEwsResponse } from './ews-response.ts'
import { findItems } from './find-item.ts'
import { SentItems } from './sent-items.ts'

/** EWSMaxConcurrency from Exchange 2013 on, per account. */
const CONCURRENCY_MAX = 27
const SERVER_VERSIONS = [
  'Exchange2007',
  'Exchange2007_SP1',
  'Exchange2010',
  'Exchange2010_SP1',
  'Exchange2010_SP2',
  'Exchange2013',
  'Exchange2013_SP1',
  'Exchange2015',
  'Exchange2016',
]

export type EwsEndpointOptions = { ledger: Ledger; faults: Faults; latencyMs: number }

type Answer = { text: string; isMailSent: boolean } | { fault: EwsFault }

/** Exchange Web Services: sending mail and looking for what was sent. */
export class EwsEndpoint {
  readonly sentItems = new SentItems()
  readonly #o: EwsEndpointOptions
  readonly #inFlight = new Map<string, number>()
  /** Until when an account was told to stay away. */
  readonly #busyUntil = new Map<string, number>()

  constructor(options: EwsEndpointOptions) {
    this.#o = options
  }

  handle(request: IncomingMessage, response: ServerResponse, o: { text: string; account: string; addresses: string[] }): void {
    if (!/^text\/xml\b/i.test(String(request.headers['content-type'] ?? ''))) {
      this.#o.ledger.addRefusal('ews-content-type')
      response.writeHead(415).end()
      return
    }
    const count = (this.#inFlight.get(o.account) ?? 0) + 1
    this.#inFlight.set(o.account, count)
    response.once('close', () => this.#inFlight.set(o.account, (this.#inFlight.get(o.account) ?? 1) - 1))
    const refusal = this.#throttle(o.account, count)
    if (refusal !== undefined) {
      this.#refuse(response, refusal)
      return
    }
    const timer = setTimeout(() => this.#answer(request, response, o), this.#o.latencyMs)
    response.once('close', () => clearTimeout(timer))
  }

  #throttle(account: string, inFlight: number): EwsFault | undefined {
    if (inFlight > CONCURRENCY_MAX) {
      const message =
        'You have exceeded the available concurrent connections for your account. Try again once your other requests have completed.'
      return { code: 'ErrorExceededConnectionCount', message }
    }
    const waitMs = (this.#busyUntil.get(account) ?? 0) - Date.now()
    if (waitMs > 0) {
      this.#o.ledger.addRefusal('ews-came-before-backoff')
      return serverBusy(Math.ceil(waitMs))
    }
    const backOffMs = this.#o.faults.ewsBackOffMs()
    if (backOffMs === undefined) return undefined
    this.#o.ledger.addFault('ews-busy')
    this.#busyUntil.set(account, Date.now() + backOffMs)
    return serverBusy(backOffMs)
  }

  #answer(request: IncomingMessage, response: ServerResponse, o: { text: string; account: string; addresses: string[] }): void {
    const answer = this.#perform(o)
    if ('fault' in answer) {
      this.#refuse(response, answer.fault)
      return
    }
    if (answer.isMailSent && this.#o.faults.losesMailAnswer()) {
      this.#o.ledger.addFault('ews-lost-answer')
      request.socket.destroy()
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/xml; charset=utf-8' }).end(answer.text)
  }

  #perform(o: { text: string; account: string; addresses: string[] }): Answer {
    const read = readEnvelope(o.text)
    if ('fault' in read) return read
    const { operation } = read
    this.#o.ledger.addRequest(`ews-${operation.name}`)
    if (operation.namespace !== MESSAGES) {
      return { fault: schemaFault(`There is no operation '${operation.name}' in '${operation.namespace}'.`) }
    }
    if (operation.name === 'CreateItem') return this.#create(operation, o)
    if (operation.name === 'FindItem') {
      const found = findItems(operation, this.sentItems.of(o.account))
      return 'fault' in found ? found : { text: writeEwsResponse('FindItem', found.messages), isMailSent: false }
    }
    return { fault: { code: 'ErrorInvalidRequest', message: 'The request is invalid.' } }
  }

  #create(operation: XmlElement, o: { account: string; addresses: string[] }): Answer {
    const read = readCreateItem(operation, o.addresses)
    if ('fault' in read) return read
    let isMailSent = false
    const messages = read.results.map((result) => {
      if ('error' in result) return result.error
      isMailSent = this.#keep(o.account, result) || isMailSent
      return '<m:CreateItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items/></m:CreateItemResponseMessage>'
    })
    return { text: writeEwsResponse('CreateItem', messages.join('')), isMailSent }
  }

  #keep(account: string, { item, isSent, isSaved }: ItemToSend): boolean {
    if (isSent && isSaved) this.sentItems.add(account, item)
    if (isSent) this.#o.ledger.mails.push({ to: item.to, stamp: item.stamp, subject: item.subject, at: item.at })
    return isSent
  }

  #refuse(response: ServerResponse, fault: EwsFault): void {
    this.#o.ledger.addRefusal(fault.code)
    response.writeHead(500, { 'Content-Type': 'text/xml; charset=utf-8' }).end(writeEwsFault(fault))
  }
}

function readEnvelope(text: string): { operation: XmlElement } | { fault: EwsFault } {
  let envelope: XmlElement
  try {
    envelope = readXml(text)
  } catch (error) {
    return { fault: schemaFault(error instanceof Error ? error.message : String(error)) }
  }
  if (envelope.name !== 'Envelope' || envelope.namespace !== SOAP_11) {
    return { fault: schemaFault(`The root element '${envelope.name}' is not a SOAP 1.1 Envelope.`) }
  }
  for (const header of childOf(envelope, 'Header')?.children ?? []) {
    if (header.name !== 'RequestServerVersion' || header.namespace !== TYPES) continue
    if (!SERVER_VERSIONS.includes(header.attributes.Version ?? '')) {
      return { fault: { code: 'ErrorInvalidServerVersion', message: 'The specified server version is invalid.' } }
    }
  }
  const operation = childOf(envelope, 'Body')?.children[0]
  return operation === undefined ? { fault: schemaFault('The Body is empty.') } : { operation }
}

function serverBusy(backOffMs: number): EwsFault {
  return {
    code: 'ErrorServerBusy',
    message: 'The server cannot service this request right now. Try again later.',
    values: { BackOffMilliseconds: backOffMs },
  }
}
