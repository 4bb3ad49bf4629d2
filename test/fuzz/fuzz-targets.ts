import { PermanentError } from '@gatehouse/messages'
import { ClientPool } from '../../libs/powershell/src/protocol/client-pool.ts'
import { decodeClixml } from '../../libs/powershell/src/protocol/clixml-decode.ts'
import { readErrorRecord } from '../../libs/powershell/src/protocol/error-record.ts'
import { cutIntoFragments } from '../../libs/powershell/src/protocol/fragments.ts'
import { readInformationRecord } from '../../libs/powershell/src/protocol/information-record.ts'
import { maskXml } from '../../libs/powershell/src/protocol/mask-xml.ts'
import { MESSAGE_TYPES, writeMessage } from '../../libs/powershell/src/protocol/message.ts'
import { readProgressRecord } from '../../libs/powershell/src/protocol/progress-record.ts'
import type { PsData } from '../../libs/powershell/src/protocol/ps-data.ts'
import { ServerPool } from '../../libs/powershell/src/protocol/server-pool.ts'
import type { FuzzRandom } from './fuzz-random.ts'

const EXPECTED =
  /^(xml-malformed|xml-too-deep|clixml-malformed|clixml-too-large|psrp-(malformed|state|object-too-large|version-refused|session-key-refused))$/
const POOL = '11111111-2222-3333-4444-555555555555'
const PIPELINE = 'aaaaaaaa-2222-3333-4444-555555555555'
const TYPES = Object.values(MESSAGE_TYPES)
const SHAPE_DEPTH = 2
const SHAPE_ITEMS = 4

/** Decodes one input every way it can reach the decoder. Gives what came of it, for telling inputs apart; throws only what is a find. */
export function decodeEveryWay(xml: string): string {
  const whole = outcomeOf(() => decodeClixml(xml))
  const part = outcomeOf(() => decodeClixml(xml, new Set(['a'])))
  if ('value' in whole && 'code' in part) throw new Error(`Decoded whole, but not in part: ${part.code}`)
  maskXml(xml, 20_000)
  if ('code' in whole) return whole.code
  readErrorRecord(whole.value)
  readProgressRecord(whole.value)
  readInformationRecord(whole.value)
  return shapeOf(whole.value, SHAPE_DEPTH)
}

/** Sends one input as a message of any type, its fragments cut and sometimes damaged, to both halves of the protocol. */
export function receiveByBoth(xml: string, random: FuzzRandom): string {
  const type = random.pick(TYPES)
  const pipelineId = random.oneIn(3) ? undefined : PIPELINE
  return [receive('client', { type, pipelineId, xml }, random), receive('server', { type, pipelineId, xml }, random)].join()
}

type Sent = { readonly type: number; readonly pipelineId: string | undefined; readonly xml: string }

function receive(half: 'client' | 'server', sent: Sent, random: FuzzRandom): string {
  const client = new ClientPool({ runspacePoolId: POOL })
  const server = new ServerPool()
  server.receive(client.open(2_000))
  client.receive(undefined, server.take(undefined, 100_000))
  const command = { name: 'Get-X', parameters: {} }
  for (const fragment of client.startPipeline(command, { pipelineId: PIPELINE, fragmentBytesMax: 9_000 }))
    server.receive(fragment, PIPELINE)
  const message = writeMessage(half, { ...sent, runspacePoolId: POOL })
  const fragments = Buffer.concat(cutIntoFragments(7, message, 22 + random.below(3_000)))
  if (random.oneIn(2)) damage(fragments, random)
  const stream = random.oneIn(2) ? undefined : PIPELINE
  const pieceBytes = 1 + random.below(5_000)
  const outcome = outcomeOf(() => {
    const events: string[] = []
    for (let at = 0; at < fragments.length; at += pieceBytes) {
      const piece = fragments.subarray(at, at + pieceBytes)
      const received = half === 'client' ? client.receive(stream, piece) : server.receive(piece, stream)
      for (const { kind } of received) events.push(kind)
    }
    return events.join('+')
  })
  return `${half}:${sent.type}:${'code' in outcome ? outcome.code : outcome.value}`
}

function damage(bytes: Buffer, random: FuzzRandom): void {
  const times = 1 + random.below(3)
  for (let time = 0; time < times; time++)
    bytes[random.below(Math.min(bytes.length, random.oneIn(2) ? 70 : bytes.length))] = random.below(256)
}

/** The value, or the code and words of an error that is as it should be. Anything else is thrown on. */
function outcomeOf<T>(act: () => T): { readonly value: T } | { readonly code: string } {
  try {
    return { value: act() }
  } catch (error) {
    if (error instanceof PermanentError && EXPECTED.test(error.code)) return { code: `${error.code} ${wordsOf(error.message)}` }
    throw error
  }
}

/** Without what differs from input to input. */
function wordsOf(message: string): string {
  return message
    .replace(/\d+/g, '#')
    .replace(/(tag|attribute|element|reference) \S+/g, '$1 *')
    .slice(0, 100)
}

function shapeOf(data: PsData | undefined, depth: number): string {
  if (data === null || typeof data !== 'object') return data === null ? 'null' : typeof data
  if (Array.isArray(data)) return `[${depth === 0 ? '' : data.slice(0, SHAPE_ITEMS).map((item) => shapeOf(item, depth - 1))}]`
  if (data instanceof Map) {
    const items = depth === 0 ? [] : [...data].slice(0, SHAPE_ITEMS)
    return `{${items.map(([key, value]) => `${shapeOf(key, 0)}:${shapeOf(value, depth - 1)}`)}}`
  }
  if (!('typeNames' in data)) return data.constructor.name
  const values = depth === 0 ? [] : Object.values(data.properties).slice(0, SHAPE_ITEMS)
  return `(${data.typeNames.length > 0 ? 't' : ''}${data.text === undefined ? '' : 's'}${shapeOf(data.value, Math.max(0, depth - 1))}${values.map((value) => shapeOf(value, depth - 1))})`
}
