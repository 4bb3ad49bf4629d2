import { PermanentError } from '@gatehouse/messages'
import { XmlReader } from '../protocol/xml-reader.ts'
import { createFault, type WsmanFault } from './fault.ts'

/** What one WSMan response says. Fields that its kind of response does not have are empty. */
export type WsmanResponse = {
  relatesTo: string | undefined
  fault: WsmanFault | undefined
  shellId: string | undefined
  commandId: string | undefined
  /** The commands whose output or state it brings, in upper case. */
  receivedFor: Set<string>
  /** The stdout streams, still base64, in order. */
  streams: string[]
  /** CommandState is Done: nothing more will come for this command. */
  isDone: boolean
}

const DEPTH_MAX = 32
const STREAMS_MAX = 100_000
const SOAP = 'http://www.w3.org/2003/05/soap-envelope'

/**
 * Parses a response envelope. Elements are recognised by local name and place, whatever prefixes the server chose. Throws
 * PermanentError('xml-malformed' | 'xml-too-deep' | 'wsman-malformed').
 */
export function parseResponse(xml: string): WsmanResponse {
  const reader = new XmlReader(xml, DEPTH_MAX)
  if (reader.next() !== 'open' || localName(reader.name) !== 'Envelope' || !isSoap(reader))
    throw malformed('not a SOAP 1.2 envelope')
  const response: WsmanResponse = {
    relatesTo: undefined,
    fault: undefined,
    shellId: undefined,
    commandId: undefined,
    receivedFor: new Set(),
    streams: [],
    isDone: false,
  }
  let sawBody = false
  forEachChild(reader, (name) => {
    if (name === 'Header') readHeader(reader, response)
    else if (name === 'Body') {
      sawBody = true
      forEachChild(reader, (child) => readBody(reader, child, response))
    } else reader.skip()
  })
  if (!sawBody || reader.next() !== 'end') throw malformed('no body')
  return response
}

function isSoap(reader: XmlReader): boolean {
  const colon = reader.name.indexOf(':')
  return reader.attribute(colon < 0 ? 'xmlns' : `xmlns:${reader.name.slice(0, colon)}`) === SOAP
}

function readHeader(reader: XmlReader, response: WsmanResponse): void {
  forEachChild(reader, (name) => {
    if (name === 'RelatesTo') response.relatesTo = reader.readContent().trim()
    else reader.skip()
  })
}

function readBody(reader: XmlReader, name: string, response: WsmanResponse): void {
  switch (name) {
    case 'ReceiveResponse':
      forEachChild(reader, (child) => readReceivePart(reader, child, response))
      return
    case 'CommandResponse':
      forEachChild(reader, (child) => {
        if (child === 'CommandId') response.commandId = reader.readContent().trim()
        else reader.skip()
      })
      return
    case 'ResourceCreated':
    case 'Shell':
      readCreated(reader, response)
      return
    case 'Fault':
      response.fault = readFault(reader)
      return
    default:
      reader.skip()
  }
}

function readReceivePart(reader: XmlReader, name: string, response: WsmanResponse): void {
  const commandId = name === 'Stream' || name === 'CommandState' ? reader.attribute('CommandId') : undefined
  if (commandId !== undefined && commandId !== '') response.receivedFor.add(commandId.toUpperCase())
  if (name === 'Stream') {
    const stream = reader.attribute('Name')
    const content = reader.readContent()
    if (stream !== 'stdout' || content === '') return
    if (response.streams.length >= STREAMS_MAX) throw malformed('too many streams')
    response.streams.push(content)
    return
  }
  if (name === 'CommandState') response.isDone = reader.attribute('State')?.endsWith('/CommandState/Done') ?? false
  reader.skip()
}

function readCreated(reader: XmlReader, response: WsmanResponse): void {
  forEachChild(reader, (name) => {
    if (name === 'ShellId' || (name === 'Selector' && reader.attribute('Name') === 'ShellId')) readShellId(reader, response)
    else if (name === 'ReferenceParameters' || name === 'SelectorSet') readCreated(reader, response)
    else reader.skip()
  })
}

function readShellId(reader: XmlReader, response: WsmanResponse): void {
  const shellId = reader.readContent().trim()
  if (!/^[!-~]{1,256}$/.test(shellId)) throw malformed('a shell id that is none')
  if (response.shellId !== undefined && response.shellId !== shellId) throw malformed('two shell ids')
  response.shellId = shellId
}

function readFault(reader: XmlReader): WsmanFault {
  const parts = { code: 0, subcode: '', machine: '', message: '' }
  let reason = ''
  forEachChild(reader, (name) => {
    if (name === 'Code') parts.subcode = readSubcode(reader)
    else if (name === 'Reason') reason = readAllText(reader)
    else if (name === 'Detail') {
      forEachChild(reader, (child) => {
        if (child === 'WSManFault') readWsmanFault(reader, parts)
        else reader.skip()
      })
    } else reader.skip()
  })
  if (parts.message === '') parts.message = reason
  return createFault({ ...parts, message: parts.message.slice(0, 8_000) })
}

function readSubcode(reader: XmlReader): string {
  let subcode = ''
  forEachChild(reader, (name) => {
    if (name !== 'Subcode') {
      reader.skip()
      return
    }
    forEachChild(reader, (child) => {
      if (child === 'Value' && subcode === '') subcode = localName(reader.readContent().trim())
      else reader.skip()
    })
  })
  return subcode
}

function readWsmanFault(reader: XmlReader, parts: { code: number; machine: string; message: string }): void {
  const code = reader.attribute('Code') ?? ''
  if (/^-?\d{1,10}$/.test(code)) parts.code = Number(code) >>> 0
  parts.machine = reader.attribute('Machine') ?? ''
  parts.message = readAllText(reader)
}

/** All text within the current element, for a provider's fault is nested within the message. */
function readAllText(reader: XmlReader): string {
  const depth = reader.depth
  let text = ''
  for (;;) {
    const token = reader.next()
    if (token === 'text') text += reader.text
    else if (token === 'close' && reader.depth < depth) return text.trim().replace(/\s+/g, ' ')
  }
}

/** Calls `read` at each child's open tag; `read` must move past that child. */
function forEachChild(reader: XmlReader, read: (localName: string) => void): void {
  for (;;) {
    const token = reader.next()
    if (token === 'close') return
    if (token === 'open') read(localName(reader.name))
  }
}

function localName(name: string): string {
  const colon = name.indexOf(':')
  return colon < 0 ? name : name.slice(colon + 1)
}

function malformed(what: string): PermanentError {
  return new PermanentError('wsman-malformed', `WSMan response cannot be read: ${what}`)
}
