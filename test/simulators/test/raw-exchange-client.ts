import { randomUUID } from 'node:crypto'
import {
  type ClientEvent,
  ClientPool,
  type ErrorRecord,
  isPsObject,
  type PsData,
  type PsValue,
} from '@gatehouse/powershell/protocol'

export type Endpoint = { url: string; user: string; password: string }
export type SoapAnswer = { status: number; text: string; headers: Headers }
export type Invocation = {
  output: Record<string, PsData>[]
  texts: (string | undefined)[]
  errors: ErrorRecord[]
  warnings: string[]
  state: string
  reason: ErrorRecord | undefined
  receives: number
}

const WINDOWS_SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell'
export const ACTIONS = {
  create: 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Create',
  delete: 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete',
  command: `${WINDOWS_SHELL}/Command`,
  receive: `${WINDOWS_SHELL}/Receive`,
  signal: `${WINDOWS_SHELL}/Signal`,
}

export type EnvelopeParts = {
  action: string
  body: string
  shellId?: string | undefined
  to?: string
  resourceUri?: string
  messageId?: string
  timeout?: string
  maxEnvelopeSize?: number
  headers?: string
  options?: string
}

/** One WS-Management envelope, as MS-WSMV shows them. */
export function envelope(endpoint: Endpoint, o: EnvelopeParts): string {
  const selectors =
    o.shellId === undefined ? '' : `<w:SelectorSet><w:Selector Name="ShellId">${o.shellId}</w:Selector></w:SelectorSet>`
  return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="${WINDOWS_SHELL}"><s:Header><a:To>${o.to ?? endpoint.url}</a:To><w:ResourceURI s:mustUnderstand="true">${o.resourceUri ?? 'http://schemas.microsoft.com/powershell/Microsoft.Exchange'}</w:ResourceURI><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><a:Action s:mustUnderstand="true">${o.action}</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">${o.maxEnvelopeSize ?? 512000}</w:MaxEnvelopeSize><a:MessageID>uuid:${o.messageId ?? randomUUID()}</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><w:OperationTimeout>${o.timeout ?? 'PT20.000S'}</w:OperationTimeout>${selectors}${o.options ?? ''}${o.headers ?? ''}</s:Header><s:Body>${o.body}</s:Body></s:Envelope>`
}

export async function post(endpoint: Endpoint, text: string, headers: Record<string, string> = {}): Promise<SoapAnswer> {
  const response = await fetch(endpoint.url, {
    method: 'POST',
    body: text,
    headers: {
      authorization: `Basic ${Buffer.from(`${endpoint.user}:${endpoint.password}`).toString('base64')}`,
      'content-type': 'application/soap+xml;charset=UTF-8',
      'accept-encoding': 'identity',
      ...headers,
    },
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

export function faultCode(answer: SoapAnswer): number {
  return Number(/WSManFault[^>]* Code="(\d+)"/.exec(answer.text)?.[1])
}

export const PROTOCOL_OPTION = '<w:OptionSet><w:Option Name="protocolversion" MustComply="true">2.3</w:Option></w:OptionSet>'

export function shellBody(pool: ClientPool, idleTimeout = 'PT60.000S'): string {
  const creation = pool.open(32_768).toString('base64')
  return `<rsp:Shell ShellId="${pool.runspacePoolId.toUpperCase()}"><rsp:IdleTimeOut>${idleTimeout}</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams><creationXml xmlns="http://schemas.microsoft.com/powershell">${creation}</creationXml></rsp:Shell>`
}

/** One shell, spoken to by hand. */
export class RawShell {
  readonly endpoint: Endpoint
  readonly pool = new ClientPool({ runspacePoolId: randomUUID() })
  cookie = ''
  maxEnvelopeSize = 512_000

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  get shellId(): string {
    return this.pool.runspacePoolId.toUpperCase()
  }

  async create(idleTimeout?: string): Promise<SoapAnswer> {
    const body = shellBody(this.pool, idleTimeout)
    const answer = await post(
      this.endpoint,
      envelope(this.endpoint, { action: ACTIONS.create, body, options: PROTOCOL_OPTION }),
    )
    this.cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
    return answer
  }

  /** Creates and receives until the pool says it is open. */
  async open(idleTimeout?: string): Promise<this> {
    const created = await this.create(idleTimeout)
    if (created.status !== 200) throw new Error(created.text)
    while (this.pool.state !== 'opened') {
      const { answer } = await this.receive(undefined)
      if (answer.status !== 200) throw new Error(answer.text)
    }
    return this
  }

  send(action: string, body: string, o: Partial<EnvelopeParts> & { cookie?: string } = {}): Promise<SoapAnswer> {
    const text = envelope(this.endpoint, { action, body, shellId: this.shellId, maxEnvelopeSize: this.maxEnvelopeSize, ...o })
    return post(this.endpoint, text, { cookie: o.cookie ?? this.cookie })
  }

  async receive(
    commandId: string | undefined,
    timeout = 'PT20.000S',
  ): Promise<{ events: ClientEvent[]; isDone: boolean; answer: SoapAnswer }> {
    const attribute = commandId === undefined ? '' : ` CommandId="${commandId}"`
    const body = `<rsp:Receive><rsp:DesiredStream${attribute}>stdout</rsp:DesiredStream></rsp:Receive>`
    const answer = await this.send(ACTIONS.receive, body, { timeout })
    if (answer.status !== 200) return { events: [], isDone: false, answer }
    const events: ClientEvent[] = []
    for (const match of answer.text.matchAll(/<rsp:Stream [^>]*>([^<]+)<\/rsp:Stream>/g)) {
      events.push(...this.pool.receive(commandId?.toLowerCase(), Buffer.from(match[1] ?? '', 'base64')))
    }
    return { events, isDone: answer.text.includes('CommandState/Done'), answer }
  }

  async start(name: string, parameters: Record<string, PsValue> = {}): Promise<{ id: string; answer: SoapAnswer }> {
    const id = randomUUID().toUpperCase()
    const [first, ...others] = this.pool.startPipeline(
      { name, parameters },
      { pipelineId: id.toLowerCase(), fragmentBytesMax: 300_000 },
    )
    if (first === undefined || others.length > 0) throw new Error('one fragment was expected')
    return { id, answer: await this.command(id, first.toString('base64')) }
  }

  /** Sends what no decent client would: the CLIXML of the pipeline edited, at the same length. */
  async invokeEdited(
    name: string,
    parameters: Record<string, PsValue>,
    find: string,
    replacement: string,
  ): Promise<Invocation> {
    const id = randomUUID().toUpperCase()
    const [fragment] = this.pool.startPipeline(
      { name, parameters },
      { pipelineId: id.toLowerCase(), fragmentBytesMax: 300_000 },
    )
    const text = fragment?.toString('latin1') ?? ''
    if (!text.includes(find) || replacement.length > find.length) throw new Error(`cannot put ${replacement} for ${find}`)
    const edited = text.replace(find, replacement.padEnd(find.length))
    const answer = await this.command(id, Buffer.from(edited, 'latin1').toString('base64'))
    if (answer.status !== 200) throw new Error(answer.text)
    return this.collect(id)
  }

  command(id: string, fragment: string): Promise<SoapAnswer> {
    const body = `<rsp:CommandLine CommandId="${id}"><rsp:Command></rsp:Command><rsp:Arguments>${fragment}</rsp:Arguments></rsp:CommandLine>`
    return this.send(ACTIONS.command, body)
  }

  signal(id: string, code: string): Promise<SoapAnswer> {
    return this.send(ACTIONS.signal, `<rsp:Signal CommandId="${id}"><rsp:Code>${code}</rsp:Code></rsp:Signal>`)
  }

  async collect(id: string): Promise<Invocation> {
    const result: Invocation = { output: [], texts: [], errors: [], warnings: [], state: '', reason: undefined, receives: 0 }
    for (let isDone = false; !isDone; ) {
      const received = await this.receive(id)
      if (received.answer.status !== 200) throw new Error(received.answer.text)
      result.receives += 1
      for (const event of received.events) addEvent(result, event)
      isDone = received.isDone
    }
    this.pool.forgetPipeline(id.toLowerCase())
    await this.signal(id, `${WINDOWS_SHELL}/signal/terminate`)
    return result
  }

  async invoke(name: string, parameters: Record<string, PsValue> = {}): Promise<Invocation> {
    const { id, answer } = await this.start(name, parameters)
    if (answer.status !== 200) throw new Error(answer.text)
    return this.collect(id)
  }

  delete(): Promise<SoapAnswer> {
    return this.send(ACTIONS.delete, '')
  }
}

function addEvent(result: Invocation, event: ClientEvent): void {
  if (event.kind === 'output') {
    const data = event.value
    result.output.push(isPsObject(data) ? { ...data.properties } : {})
    result.texts.push(isPsObject(data) ? data.text : String(data))
  } else if (event.kind === 'error') result.errors.push(event.record)
  else if (event.kind === 'warning') result.warnings.push(event.text)
  else if (event.kind === 'pipeline-state') {
    result.state = event.state
    result.reason = event.reason
  }
}
