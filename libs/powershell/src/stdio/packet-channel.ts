import { PermanentError } from '@gatehouse/messages'
import { type PacketKind, writePacket } from './packet.ts'

type Waiting = {
  readonly kind: PacketKind
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Far more than a pipeline ever has waiting: its sender awaits each fragment. */
const WAITING_MAX = 64

/**
 * Sends packets and waits for their acknowledgements, one packet per id at a time: PowerShell hands each line that it reads to its
 * thread pool, so two packets of one id would be worked on in any order (OutOfProcessMediatorBase.Start).
 */
export class PacketChannel {
  private readonly write: (line: string) => void
  /** The packets of each id; the first has been sent. An id stays until its packets are acknowledged. */
  private readonly waiting = new Map<string, Waiting[]>()
  private readonly whenQuiet: (() => void)[] = []
  private failure: Error | undefined

  constructor(write: (line: string) => void) {
    this.write = write
  }

  /** Resolves when the packet is acknowledged; rejects with what `fail` was given. */
  send(kind: PacketKind, id: string, data?: Uint8Array): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const packet = { kind, line: writePacket(kind, id, data), resolve, reject }
    const packets = this.waiting.get(id)
    if (packets === undefined) {
      this.waiting.set(id, [packet])
      this.write(packet.line)
    } else if (packets.length < WAITING_MAX) packets.push(packet)
    else reject(new PermanentError('stdio-state', `More than ${WAITING_MAX} packets of one pipeline wait to be sent`))
    return promise
  }

  /** An acknowledgement came. Throws PermanentError('stdio-malformed') unless the packet it is for has just been sent. */
  acknowledge(of: PacketKind, id: string): void {
    const packets = this.waiting.get(id)
    const [packet, next] = packets ?? []
    if (packets === undefined || packet?.kind !== of) throw unexpected(of)
    packets.shift()
    packet.resolve()
    if (next !== undefined) {
      this.write(next.line)
      return
    }
    this.waiting.delete(id)
    if (this.waiting.size === 0) for (const resolve of this.whenQuiet.splice(0)) resolve()
  }

  /** Resolves when every packet that was sent is acknowledged, or the channel has failed. */
  quiet(): Promise<void> {
    if (this.waiting.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.whenQuiet.push(resolve)
    })
  }

  /** Nothing will be acknowledged any more: every packet fails, and so does whatever is sent later. */
  fail(error: Error): void {
    this.failure ??= error
    const packets = [...this.waiting.values()].flat()
    this.waiting.clear()
    for (const { reject } of packets) reject(error)
    for (const resolve of this.whenQuiet.splice(0)) resolve()
  }
}

function unexpected(of: PacketKind): PermanentError {
  return new PermanentError('stdio-malformed', `The output of PowerShell cannot be read: an unexpected ${of}Ack`)
}
