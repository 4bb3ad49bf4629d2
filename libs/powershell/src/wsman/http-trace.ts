import type { Action } from './envelope.ts'

/** One request over HTTP and what became of it, for people to read. Neither bodies nor headers: they hold credentials and cookies. */
export type HttpTraceEntry = {
  readonly action: Action
  readonly url: string
  readonly shellId: string
  readonly requestBytes: number
  /** Undefined when there was no answer: see `error`. */
  readonly status: number | undefined
  readonly responseCharacters: number | undefined
  readonly durationMs: number
  /** By which Exchange's own logs name the request. */
  readonly requestId: string | undefined
  /** The code of the error, such as `wsman-connection-lost`. */
  readonly error: string | undefined
}

export type HttpTrace = (entry: HttpTraceEntry) => void
