import { childOf, readXml, type XmlElement } from '../read-xml.ts'
import { type WsmanFault, wsmanFault } from './wsman-fault.ts'
import { ACTIONS, ADDRESSING, EXCHANGE_RESOURCE, SHELL, SOAP, WSMAN, WSMV, type WsmanVerb } from './wsman-namespaces.ts'

export type WsmanRequest = {
  verb: WsmanVerb
  messageId: string
  /** Upper case; '' on Create. */
  shellId: string
  maxEnvelopeSize: number
  operationTimeoutMs: number
  options: Map<string, string>
  body: XmlElement | undefined
}

export type WsmanReading = { request: WsmanRequest } | { fault: WsmanFault; messageId: string }

/** Windows Server 2008 R2's, when the header is absent. */
const ENVELOPE_SIZE_DEFAULT = 153_600
const ENVELOPE_SIZE_MIN = 8_192
const ENVELOPE_SIZE_MAX = 512_000
const OPERATION_TIMEOUT_DEFAULT_MS = 60_000

const UNDERSTOOD: Record<string, readonly string[]> = {
  [ADDRESSING]: ['To', 'ReplyTo', 'Action', 'MessageID', 'From', 'FaultTo', 'RelatesTo'],
  [WSMAN]: ['ResourceURI', 'MaxEnvelopeSize', 'OperationTimeout', 'SelectorSet', 'OptionSet', 'Locale', 'FragmentTransfer'],
  [WSMV]: ['DataLocale', 'SessionId', 'OperationID', 'SequenceId', 'ActivityId', 'CompressionType'],
  [SHELL]: ['CompressionType'],
}

/** Reads and checks the envelope of one request that came to `path`. */
export function readWsmanRequest(text: string, path: string): WsmanReading {
  let envelope: XmlElement
  try {
    envelope = readXml(text)
  } catch {
    return { fault: wsmanFault('xml-invalid'), messageId: '' }
  }
  const header = childOf(envelope, 'Header')
  const messageId = headerText(header, ADDRESSING, 'MessageID') ?? ''
  if (envelope.name !== 'Envelope' || envelope.namespace !== SOAP) return { fault: wsmanFault('version-mismatch'), messageId }
  if (header === undefined) return { fault: wsmanFault('header-required', 'Action'), messageId }
  const fault = checkHeader(header, path)
  if (fault !== undefined) return { fault, messageId }
  const action = headerText(header, ADDRESSING, 'Action')
  const verb = (Object.keys(ACTIONS) as WsmanVerb[]).find((each) => ACTIONS[each] === action)
  if (verb === undefined) return { fault: wsmanFault('action-not-supported'), messageId }
  const size = Number(headerText(header, WSMAN, 'MaxEnvelopeSize') ?? ENVELOPE_SIZE_DEFAULT)
  if (!(size >= ENVELOPE_SIZE_MIN)) return { fault: wsmanFault('envelope-too-small'), messageId }
  const timeoutText = headerText(header, WSMAN, 'OperationTimeout')
  const operationTimeoutMs = timeoutText === undefined ? OPERATION_TIMEOUT_DEFAULT_MS : readDurationMs(timeoutText)
  if (operationTimeoutMs === undefined) return { fault: wsmanFault('body-invalid', 'OperationTimeout'), messageId }
  return {
    request: {
      verb,
      messageId,
      shellId: selectorOf(header),
      maxEnvelopeSize: Math.min(size, ENVELOPE_SIZE_MAX),
      operationTimeoutMs,
      options: optionsOf(header),
      body: childOf(envelope, 'Body')?.children[0],
    },
  }
}

function checkHeader(header: XmlElement, path: string): WsmanFault | undefined {
  for (const element of header.children) {
    const mustUnderstand = element.attributes.mustUnderstand
    if (mustUnderstand !== 'true' && mustUnderstand !== '1') continue
    if (element.namespace === WSMAN && element.name === 'Locale') return wsmanFault('locale-must-understand')
    if (UNDERSTOOD[element.namespace]?.includes(element.name) !== true) return wsmanFault('header-not-understood', element.name)
  }
  for (const name of ['Action', 'To', 'MessageID', 'ReplyTo']) {
    if (!header.children.some((each) => each.name === name && each.namespace === ADDRESSING)) {
      return wsmanFault('header-required', name)
    }
  }
  if (pathOf(headerText(header, ADDRESSING, 'To') ?? '') !== path.toLowerCase()) return wsmanFault('destination-unreachable')
  const resource = headerText(header, WSMAN, 'ResourceURI')
  return resource === EXCHANGE_RESOURCE ? undefined : wsmanFault('resource-uri-unknown')
}

function headerText(header: XmlElement | undefined, namespace: string, name: string): string | undefined {
  return header?.children.find((each) => each.name === name && each.namespace === namespace)?.text.trim()
}

function pathOf(url: string): string | undefined {
  return URL.parse(url)?.pathname.toLowerCase()
}

function selectorOf(header: XmlElement): string {
  const selector = childOf(header, 'SelectorSet')?.children.find((each) => each.attributes.Name === 'ShellId')
  return selector?.text.trim().toUpperCase() ?? ''
}

function optionsOf(header: XmlElement): Map<string, string> {
  const options = childOf(header, 'OptionSet')?.children ?? []
  return new Map(options.map((option) => [(option.attributes.Name ?? '').toLowerCase(), option.text.trim()]))
}

/** An xs:duration of at most days, such as PT20.000S; undefined when it is none. */
export function readDurationMs(text: string): number | undefined {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text)
  if (match === null || text === 'P' || text.endsWith('T')) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}
