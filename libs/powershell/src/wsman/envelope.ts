import { escapeXml } from '../protocol/clixml-string.ts'

const SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell'
const TRANSFER = 'http://schemas.xmlsoap.org/ws/2004/09/transfer'

const ACTIONS = {
  create: `${TRANSFER}/Create`,
  delete: `${TRANSFER}/Delete`,
  command: `${SHELL}/Command`,
  send: `${SHELL}/Send`,
  receive: `${SHELL}/Receive`,
  signal: `${SHELL}/Signal`,
} as const
export type Action = keyof typeof ACTIONS

/** `crtl_c` is Microsoft's own spelling (MS-PSRP 3.1.5.3.9, PowerShell's WSManPluginConstants): any other code closes the command. */
const SIGNALS = { terminate: `${SHELL}/signal/Terminate`, stop: 'powershell/signal/crtl_c' } as const
export type SignalKind = keyof typeof SIGNALS

const OPENING =
  '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"' +
  ' xmlns:wsman="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:wsmv="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"' +
  ` xmlns:rsp="${SHELL}"><s:Header><wsa:Action s:mustUnderstand="true">`
// Locale: with any other culture than en-US servers answer in other words, and sometimes in other formats.
const LOCALES =
  '<wsmv:DataLocale s:mustUnderstand="false" xml:lang="en-US"/><wsman:Locale s:mustUnderstand="false" xml:lang="en-US"/>'
const REPLY_TO =
  '<wsa:ReplyTo><wsa:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</wsa:Address></wsa:ReplyTo>'

/** Bytes of an envelope that are not payload, generously: the header with a long URL, and the body's own tags. */
const ENVELOPE_OVERHEAD_BYTES = 2_816

/** How many bytes of fragments fit, as base64, into an envelope of this size. */
export function payloadBytesOf(envelopeBytes: number): number {
  return Math.floor((envelopeBytes - ENVELOPE_OVERHEAD_BYTES) / 4) * 3
}

export type EnvelopeAddress = {
  readonly url: string
  readonly resourceUri: string
  readonly sessionId: string
  readonly operationTimeoutMs: number
}

/**
 * Writes WSMan requests of one shell from templates: everything but the action, the message id and the body is the same
 * each time, so it is made once.
 */
export class EnvelopeWriter {
  private readonly address: EnvelopeAddress
  private afterMessageId = ''
  private betweenActionAndId = ''
  private selector = ''

  constructor(address: EnvelopeAddress, envelopeBytesMax: number) {
    this.address = address
    this.setEnvelopeBytesMax(envelopeBytesMax)
  }

  setEnvelopeBytesMax(bytes: number): void {
    const { url, resourceUri, sessionId, operationTimeoutMs } = this.address
    this.betweenActionAndId =
      `</wsa:Action>${LOCALES}<wsman:MaxEnvelopeSize s:mustUnderstand="true">${bytes}</wsman:MaxEnvelopeSize>` +
      '<wsa:MessageID>uuid:'
    this.afterMessageId =
      `</wsa:MessageID><wsman:OperationTimeout>PT${(operationTimeoutMs / 1000).toFixed(3)}S</wsman:OperationTimeout>${REPLY_TO}` +
      `<wsman:ResourceURI s:mustUnderstand="true">${escapeXml(resourceUri)}</wsman:ResourceURI>` +
      `<wsmv:SessionId s:mustUnderstand="false">uuid:${sessionId}</wsmv:SessionId><wsa:To>${escapeXml(url)}</wsa:To>`
  }

  /** Names the shell in every later request. */
  setShellId(shellId: string): void {
    this.selector = `<wsman:SelectorSet><wsman:Selector Name="ShellId">${escapeXml(shellId)}</wsman:Selector></wsman:SelectorSet>`
  }

  create(messageId: string, shell: { shellId: string; idleTimeoutMs: number; creation: Buffer }): string {
    const options =
      '<wsman:OptionSet s:mustUnderstand="true"><wsman:Option Name="protocolversion" MustComply="true">2.3</wsman:Option></wsman:OptionSet>'
    const body =
      `<rsp:Shell ShellId="${shell.shellId}"><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams>` +
      `<rsp:IdleTimeOut>PT${(shell.idleTimeoutMs / 1000).toFixed(3)}S</rsp:IdleTimeOut>` +
      `<creationXml xmlns="http://schemas.microsoft.com/powershell">${shell.creation.toString('base64')}</creationXml></rsp:Shell>`
    return this.write('create', messageId, options, body)
  }

  command(messageId: string, commandId: string, first: Buffer): string {
    const body = `<rsp:CommandLine CommandId="${commandId}"><rsp:Command/><rsp:Arguments>${first.toString('base64')}</rsp:Arguments></rsp:CommandLine>`
    return this.write('command', messageId, this.selector, body)
  }

  send(messageId: string, commandId: string | undefined, fragment: Buffer): string {
    const command = commandId === undefined ? '' : ` CommandId="${commandId}"`
    const body = `<rsp:Send><rsp:Stream Name="stdin"${command}>${fragment.toString('base64')}</rsp:Stream></rsp:Send>`
    return this.write('send', messageId, this.selector, body)
  }

  receive(messageId: string, commandId: string | undefined): string {
    const options =
      '<wsman:OptionSet s:mustUnderstand="true"><wsman:Option Name="WSMAN_CMDSHELL_OPTION_KEEPALIVE">TRUE</wsman:Option></wsman:OptionSet>'
    const command = commandId === undefined ? '' : ` CommandId="${commandId}"`
    const body = `<rsp:Receive><rsp:DesiredStream${command}>stdout</rsp:DesiredStream></rsp:Receive>`
    return this.write('receive', messageId, options + this.selector, body)
  }

  signal(messageId: string, commandId: string, kind: SignalKind): string {
    const body = `<rsp:Signal CommandId="${commandId}"><rsp:Code>${SIGNALS[kind]}</rsp:Code></rsp:Signal>`
    return this.write('signal', messageId, this.selector, body)
  }

  delete(messageId: string): string {
    return this.write('delete', messageId, this.selector, '')
  }

  private write(action: Action, messageId: string, header: string, body: string): string {
    return `${OPENING}${ACTIONS[action]}${this.betweenActionAndId}${messageId}${this.afterMessageId}${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  }
}
