import { isUtf8 } from 'node:buffer'
import { PermanentError } from '@gatehouse/messages'
import { readGuid, writeGuid } from './guid.ts'

/** [MS-PSRP] 2.2.1, MessageType. */
export const MESSAGE_TYPES = {
  sessionCapability: 0x00010002,
  initRunspacePool: 0x00010004,
  publicKey: 0x00010005,
  encryptedSessionKey: 0x00010006,
  publicKeyRequest: 0x00010007,
  connectRunspacePool: 0x00010008,
  setMaxRunspaces: 0x00021002,
  setMinRunspaces: 0x00021003,
  runspaceAvailability: 0x00021004,
  runspacePoolState: 0x00021005,
  createPipeline: 0x00021006,
  getAvailableRunspaces: 0x00021007,
  userEvent: 0x00021008,
  applicationPrivateData: 0x00021009,
  getCommandMetadata: 0x0002100a,
  runspacePoolInitData: 0x0002100b,
  resetRunspaceState: 0x0002100c,
  runspacePoolHostCall: 0x00021100,
  pipelineInput: 0x00041002,
  endOfPipelineInput: 0x00041003,
  pipelineOutput: 0x00041004,
  errorRecord: 0x00041005,
  pipelineState: 0x00041006,
  debugRecord: 0x00041007,
  verboseRecord: 0x00041008,
  warningRecord: 0x00041009,
  progressRecord: 0x00041010,
  informationRecord: 0x00041011,
  pipelineHostCall: 0x00041100,
} as const

/** The Destination field: who the message is for. */
export type Destination = 'client' | 'server'
export const NO_PIPELINE = '00000000-0000-0000-0000-000000000000'
const HEADER_BYTES = 40

/** One PSRP message. `pipelineId` is undefined for the pool's own messages; `xml` is its CLIXML. */
export type PsrpMessage = {
  readonly type: number
  readonly runspacePoolId: string
  readonly pipelineId: string | undefined
  readonly xml: string
}

export function writeMessage(destination: Destination, message: PsrpMessage): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(message.xml))
  bytes.writeInt32LE(destination === 'server' ? 2 : 1, 0)
  bytes.writeInt32LE(message.type, 4)
  writeGuid(bytes, 8, message.runspacePoolId)
  writeGuid(bytes, 24, message.pipelineId ?? NO_PIPELINE)
  bytes.write(message.xml, HEADER_BYTES)
  return bytes
}

/** Reads a whole message. Throws PermanentError('psrp-malformed') unless it is one for `destination`. */
export function readMessage(destination: Destination, bytes: Buffer): PsrpMessage {
  if (bytes.length < HEADER_BYTES) throw malformed('a message shorter than its header')
  if (bytes.readInt32LE(0) !== (destination === 'server' ? 2 : 1))
    throw malformed(`a message that is not for the ${destination}`)
  const pipelineId = readGuid(bytes, 24)
  // PowerShell writes a byte order mark before the XML of some messages.
  const start = bytes[40] === 0xef && bytes[41] === 0xbb && bytes[42] === 0xbf ? HEADER_BYTES + 3 : HEADER_BYTES
  const body = bytes.subarray(start)
  if (!isUtf8(body)) throw malformed('text that is not UTF-8')
  return {
    type: bytes.readInt32LE(4),
    runspacePoolId: readGuid(bytes, 8),
    pipelineId: pipelineId === NO_PIPELINE ? undefined : pipelineId,
    xml: body.toString('utf8'),
  }
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `PSRP message cannot be read: ${what}`)
}
