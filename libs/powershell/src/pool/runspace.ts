import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { InvocationResult } from '../engine.ts'
import type { ClientPool } from '../protocol/client-pool.ts'
import type { Command } from '../protocol/command.ts'
import { notOpened, refuseBrokenPool } from './broken-pool.ts'
import { isLoss, PipelineRun, type RunOptions } from './pipeline-run.ts'
import type { RemoteShell } from './remote-shell.ts'

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

/**
 * One shell with its one runspace: opens it, runs one cmdlet at a time in it, closes it. A cmdlet that is given to it while
 * another runs is sent at once and waits on the server, as PowerShell's own RunspacePool lets a pipeline wait for a runspace.
 */
export class Runspace {
  readonly shell: RemoteShell
  private readonly options: RunspaceOptions
  private readonly client: ClientPool
  private readonly terminating = new Set<Promise<void>>()
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
      for (const chunk of chunks) for (const event of client.receive(undefined, chunk)) refuseBrokenPool(event)
      if (isDone && !isOpened(client)) throw notOpened('The shell ended while opening', undefined)
    }
    if (client.protocolVersion !== undefined && Number(client.protocolVersion.slice(2)) >= 2) shell.growEnvelope()
  }

  /** Runs one cmdlet. Settles when it has left the runspace, or the runspace is lost: see `lostBecause`. */
  async run(command: Command, options: Omit<RunOptions, 'turn'>): Promise<InvocationResult> {
    const pipelineId = randomUUID()
    const { fragmentBytesMax } = this.shell
    const { properties } = options
    const fragments = this.client.startPipeline(command, { pipelineId, fragmentBytesMax, properties })
    const run = new PipelineRun({ ...this.options, client: this.client, pipelineId }, { ...options, turn: this.last })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    this.last = promise
    try {
      const result = await run.perform(fragments, command.name)
      resolve()
      this.terminate(pipelineId)
      if (this.terminating.size > UNTERMINATED_MAX) await Promise.race(this.terminating)
      return result
    } catch (error) {
      if (run.isShellLost) this.lost ??= error instanceof Error ? error : new Error('Lost', { cause: error })
      else if (run.wasSent) this.terminate(pipelineId)
      throw error
    } finally {
      // Whoever is next in the runspace shares its fate.
      if (this.lost === undefined) resolve()
      else reject(this.lost)
      if (this.last === promise) this.last = undefined
      run.dispose()
      this.client.forgetPipeline(pipelineId)
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

function isOpened(client: ClientPool): boolean {
  return client.state === 'opened'
}
