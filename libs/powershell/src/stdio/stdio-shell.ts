import { RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { ShellAddress } from '../leases.ts'
import type { ReceivedAnswer, RemoteShell } from '../pool/remote-shell.ts'
import type { ClientPool } from '../protocol/client-pool.ts'
import { withDetail } from '../with-detail.ts'
import { FRAGMENT_BYTES, type StdioSession } from './stdio-session.ts'

/** A process as its shells see it. */
export type SharedSession = {
  readonly session: StdioSession
  /** It takes no more shells, and those that it has are to leave it. */
  readonly isRetiring: boolean
  retire(): void
  /** Tells whether this was the last of its shells. */
  leave(shell: StdioShell): boolean
}

/** How long `receive` waits, as a Receive over WSMan would. */
const RECEIVE_MS = 20_000
/**
 * A pipeline that is stopped while PowerShell starts it may go on running, in a runspace that is given to the next (seen with 7.6):
 * so it is given the time to start.
 */
const STOPPABLE_AFTER_MS = 100

/**
 * The right to run one pipeline at a time in a process that others use too. Which of its runspaces runs a pipeline is decided by
 * PowerShell, which has as many as there are shells.
 */
export class StdioShell implements RemoteShell {
  readonly fragmentBytesMax = FRAGMENT_BYTES
  private readonly shared: SharedSession
  private readonly session: StdioSession
  private readonly number: number
  private readonly clock: Clock
  /** Started here and not closed. */
  private readonly pipelines = new Map<string, { isStopped: boolean; startedAt: number }>()
  private readonly interrupts = new Set<(error: Error) => void>()
  private readonly forgetPoolMessages: () => void
  private hasPoolMessage = false
  private wakeForPoolMessage: (() => void) | undefined
  private leaving: boolean | undefined

  constructor(o: { shared: SharedSession; number: number; clock: Clock }) {
    this.shared = o.shared
    this.session = o.shared.session
    this.number = o.number
    this.clock = o.clock
    this.forgetPoolMessages = this.session.onPoolMessage(() => {
      this.hasPoolMessage = true
      this.wakeForPoolMessage?.()
    })
  }

  get client(): ClientPool {
    return this.session.client
  }

  get address(): ShellAddress {
    const shellId = `${this.client.runspacePoolId}/${this.number}`
    return { shellId, url: `stdio:${this.session.processId ?? ''}`, cookie: undefined }
  }

  get ending(): 'retiring' | 'lost' | undefined {
    if (this.session.isLost) return 'lost'
    return this.shared.isRetiring ? 'retiring' : undefined
  }

  async create(): Promise<void> {
    await this.interruptible(this.session.open())
  }

  growEnvelope(): void {}

  async startCommand(pipelineId: string, first: Buffer): Promise<void> {
    this.session.expect(pipelineId)
    const pipeline = { isStopped: false, startedAt: this.clock.now() }
    this.pipelines.set(pipelineId, pipeline)
    try {
      await this.interruptible(this.session.send('Command', pipelineId))
    } catch (error) {
      // Without a fragment there is no cmdlet yet.
      throw withDetail(error, { mayHaveRun: false })
    }
    await this.send(pipelineId, first)
    pipeline.startedAt = this.clock.now()
  }

  async send(pipelineId: string | undefined, fragment: Buffer): Promise<void> {
    await this.interruptible(this.session.send('Data', pipelineId, fragment))
  }

  async receive(pipelineId: string | undefined): Promise<ReceivedAnswer> {
    const chunks =
      pipelineId === undefined
        ? await this.interruptible(this.nextPoolMessage())
        : await this.interruptible(this.session.receive(pipelineId, RECEIVE_MS))
    return { looksUnfinished: false, read: () => ({ chunks, isDone: false }) }
  }

  async signal(pipelineId: string, kind: 'terminate' | 'stop'): Promise<void> {
    const pipeline = this.pipelines.get(pipelineId)
    if (pipeline === undefined) return
    if (kind === 'stop') {
      await this.interruptible(this.untilStoppable(pipeline.startedAt))
      if (!this.pipelines.has(pipelineId)) return
      pipeline.isStopped = true
      await this.interruptible(this.session.send('Signal', pipelineId))
      return
    }
    this.pipelines.delete(pipelineId)
    this.session.forget(pipelineId)
    await this.interruptible(this.session.send('Close', pipelineId))
  }

  async delete(): Promise<void> {
    if (this.leave()) await this.interruptible(this.shared.isRetiring ? this.session.kill() : this.session.close())
  }

  /** What runs here goes on in PowerShell, in a runspace that nobody can count on: the process is not used for anything new. */
  reset(): Promise<void> {
    if (!this.session.isOpen || this.pipelines.size > 0) this.shared.retire()
    for (const [pipelineId, { isStopped }] of this.pipelines) {
      this.session.forget(pipelineId)
      if (!isStopped) this.tryToStop(pipelineId)
    }
    this.pipelines.clear()
    const error = new RetryableError('runspace-broken', 'The runspace was given up', {
      detail: { mayHaveRun: true, shellLost: true },
    })
    for (const reject of [...this.interrupts]) reject(error)
    this.wakeForPoolMessage?.()
    return Promise.resolve()
  }

  async destroy(): Promise<void> {
    await this.reset()
    if (this.leave()) await this.session.kill()
  }

  private untilStoppable(startedAt: number): Promise<void> {
    const waitMs = startedAt + STOPPABLE_AFTER_MS - this.clock.now()
    return waitMs <= 0 ? Promise.resolve() : new Promise((resolve) => void this.clock.setTimeout(resolve, waitMs))
  }

  private tryToStop(pipelineId: string): void {
    this.session.send('Signal', pipelineId).catch(() => {
      // The process has gone, and the pipeline with it.
    })
  }

  /** True for the last shell of its process, each time it asks. */
  private leave(): boolean {
    if (this.leaving === undefined) {
      this.forgetPoolMessages()
      this.leaving = this.shared.leave(this)
    }
    return this.leaving
  }

  /** Messages of the pool have been read when they came, for all shells: this tells only that there was one. */
  private async nextPoolMessage(): Promise<readonly Uint8Array[]> {
    const { lostBecause } = this.session
    if (lostBecause !== undefined) throw lostBecause
    if (!this.hasPoolMessage) await this.poolMessage()
    this.hasPoolMessage = false
    return []
  }

  private poolMessage(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        this.wakeForPoolMessage = undefined
        resolve()
      }
      const cancel = this.clock.setTimeout(done, RECEIVE_MS)
      this.wakeForPoolMessage = done
    })
  }

  /** Waits for `work`, or for `reset` or `destroy`. */
  private interruptible<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.interrupts.add(reject)
      work.then(resolve, reject).finally(() => this.interrupts.delete(reject))
    })
  }
}
