import { randomUUID } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { InvocationResult } from '../engine.ts'
import type { ClientEvent, ClientPool } from '../protocol/client-pool.ts'
import type { Command } from '../protocol/command.ts'
import { notOpened, refuseBrokenPool } from './broken-pool.ts'
import { isLoss, PipelineRun, type RunOptions } from './pipeline-run.ts'
import type { RemoteShell } from './remote-shell.ts'
import { exchangeSessionKey } from './session-key-exchange.ts'

export type RunspaceOptions = {
  readonly shell: RemoteShell
  readonly clock: Clock
  /** How long a stopped cmdlet may take to stop before its shell is given up. */
  readonly stopMs: number
  /** All objects, errors and warnings of one pipeline, as bytes of CLIXML. */
  readonly resultBytesMax: number
  /** The server asked for a pause while a cmdlet was running. */
  readonly onThrottled: (waitMs: number) => void
}

/** Finished pipelines whose Signal has not been answered yet. */
const UNTERMINATED_MAX = 2
const GIVE_WAY_MS = 1_000

/**
 * One shell with its one runspace: opens it, runs one cmdlet at a time in it, closes it. A cmdlet that is given to it while
 * another runs is sent at once and waits on the server, as PowerShell's own RunspacePool lets a pipeline wait for a runspace.
 */
export class Runspace {
  readonly shell: RemoteShell
  private readonly options: RunspaceOptions
  private readonly client: ClientPool
  private readonly terminating = new Set<Promise<void>>()
  /** Every cmdlet that has not settled, with the promise that it has. */
  private readonly runs = new Map<PipelineRun, Promise<unknown>>()
  private lost: Error | undefined
  /** Resolves when the cmdlet that was sent last has ended, rejects when the shell was lost with it. */
  private last: Promise<void> | undefined

  constructor(options: RunspaceOptions) {
    this.options = options
    this.shell = options.shell
    this.client = options.shell.client
  }

  /** Why the shell is of no more use; undefined while it is. */
  get lostBecause(): Error | undefined {
    return this.lost
  }

  /** Creates the shell and waits until its runspace is open. Whatever it throws, the shell must be given up. */
  async open(onCreated: () => Promise<void>): Promise<void> {
    const { shell, client } = this
    await shell.create()
    await onCreated()
    while (!isOpened(client)) {
      const { chunks, isDone } = (await shell.receive(undefined)).read()
      for (const chunk of chunks) for (const event of client.receive(undefined, chunk)) refuseWhileOpening(event)
      if (isOpened(client)) break
      // A pool that several shells share may have broken for another of them.
      if (client.state === 'broken' || client.state === 'closed') throw notOpened(`The runspace is ${client.state}`, undefined)
      if (isDone) throw notOpened('The shell ended while opening', undefined)
    }
    if (client.protocolVersion !== undefined && Number(client.protocolVersion.slice(2)) >= 2) shell.growEnvelope()
  }

  /** Runs one cmdlet. Settles when it has left the runspace, or the runspace is lost: see `lostBecause`. */
  async run(command: Command, options: Omit<RunOptions, 'turn'>): Promise<InvocationResult> {
    const { client } = this
    if (client.needsSessionKey(command) || client.isKeyWanted) await this.exchangeKey()
    if (!isOpened(client)) {
      this.lost ??= new RetryableError('runspace-broken', `The runspace is ${client.state}`, {
        detail: { mayHaveRun: false, shellLost: true },
      })
      throw this.lost
    }
    const pipelineId = randomUUID()
    const { fragmentBytesMax } = this.shell
    const { properties } = options
    const fragments = client.startPipeline(command, { pipelineId, fragmentBytesMax, properties })
    const clearQueue = () => this.clearQueue()
    const run = new PipelineRun({ ...this.options, client, pipelineId, clearQueue }, { ...options, turn: this.last })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    this.last = promise
    try {
      const performed = run.perform(fragments, command.name)
      this.runs.set(
        run,
        performed.catch(() => {}),
      )
      const result = await performed
      resolve()
      this.terminate(pipelineId)
      if (this.terminating.size > UNTERMINATED_MAX) await Promise.race(this.terminating)
      // The result holds a SecureString. Without a key it is still a result: the shell is lost, which is noted.
      if (client.isKeyWanted) await this.exchangeKey().catch(() => {})
      return result
    } catch (error) {
      if (run.isShellLost) {
        this.lost ??= error instanceof Error ? error : new Error('Lost', { cause: error })
        // What was sent ahead while this one was being given up would else wait for an answer that nobody gives.
        void this.shell.reset().catch(() => {})
      } else if (run.wasSent) this.terminate(pipelineId)
      throw error
    } finally {
      // Whoever is next in the runspace shares its fate.
      if (this.lost === undefined) resolve()
      else reject(this.lost)
      if (this.last === promise) this.last = undefined
      run.dispose()
      this.runs.delete(run)
      this.client.forgetPipeline(pipelineId)
    }
  }

  /** Tells those that were sent ahead to give way, and waits until they have, for a moment. */
  private async clearQueue(): Promise<void> {
    const waiting = [...this.runs].filter(([run]) => run.isWaiting)
    if (waiting.length === 0) return
    for (const [run] of waiting) run.giveWay()
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.options.clock.setTimeout(resolve, GIVE_WAY_MS)
    await Promise.race([Promise.all(waiting.map(([, settled]) => settled)), promise])
    cancel()
  }

  private async exchangeKey(): Promise<void> {
    // What runs in the shell has a Receive in flight, and the exchange needs one of its own.
    await this.last
    try {
      await exchangeSessionKey(this.shell, this.options.clock)
    } catch (error) {
      this.lost ??= error instanceof Error ? error : new Error('Lost', { cause: error })
      throw error
    }
  }

  /** Tells the server that a pipeline is over, beside whatever comes next in this shell. */
  private terminate(pipelineId: string): void {
    const done = this.shell
      .signal(pipelineId, 'terminate')
      .catch((error: unknown) => {
        // The result is already delivered; only a shell that is gone matters, and the next request would find out too.
        if (isLoss(error)) this.lost ??= error instanceof Error ? error : new Error('Lost', { cause: error })
      })
      .finally(() => this.terminating.delete(done))
    this.terminating.add(done)
  }
}

/** Nobody can answer a prompt, least of all while nothing runs yet. */
function refuseWhileOpening(event: ClientEvent): void {
  refuseBrokenPool(event)
  if (event.kind === 'prompt')
    throw new PermanentError('cmdlet-prompted', `The runspace asks for an answer while it opens (${event.method})`, {
      detail: { mayHaveRun: false, shellLost: true },
    })
}

function isOpened(client: ClientPool): boolean {
  return client.state === 'opened'
}
