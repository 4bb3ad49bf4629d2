import type { Clock } from '../clock.ts'

/** What a chunk costs beside its bytes: many small ones must not pass for little. */
const CHUNK_BYTES = 256

/** How much memory a chunk takes while it waits, about. */
export function weightOf(chunk: Uint8Array): number {
  return chunk.byteLength + CHUNK_BYTES
}

/** What has come for one pipeline and was not fetched yet. One fetches at a time. */
export class Inbox {
  private chunks: Uint8Array[] = []
  /** Made when somebody asks: most inboxes are dropped when everything has been fetched. */
  private failure: (() => Error) | undefined
  private wake: (() => void) | undefined
  private bytes = 0

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.bytes += weightOf(chunk)
    this.wake?.()
  }

  /** Nothing more will come. What is here can still be fetched. */
  fail(error: Error): void {
    this.failure ??= () => error
    this.wake?.()
  }

  /** Throws away what is here; who waits for more gets the error. Answers with what that weighed. */
  drop(createError: () => Error): number {
    const { bytes } = this
    this.chunks = []
    this.bytes = 0
    this.failure ??= createError
    this.wake?.()
    return bytes
  }

  /** Everything that has come, or what comes first within `waitMs`; empty when nothing does. Rejects with what `fail` was given. */
  async take(clock: Clock, waitMs: number): Promise<readonly Uint8Array[]> {
    if (this.chunks.length === 0 && this.failure === undefined) await this.arrival(clock, waitMs)
    if (this.chunks.length === 0 && this.failure !== undefined) throw this.failure()
    const { chunks } = this
    this.chunks = []
    this.bytes = 0
    return chunks
  }

  private arrival(clock: Clock, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        this.wake = undefined
        resolve()
      }
      const cancel = clock.setTimeout(done, waitMs)
      this.wake = done
    })
  }
}
