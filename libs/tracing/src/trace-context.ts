/** Where in which trace something happens, as W3C Trace Context passes it on (https://www.w3.org/TR/trace-context/). */
export type TraceContext = {
  /** 32 hexadecimal digits in lower case, not all zero. */
  readonly traceId: string
  /** 16 hexadecimal digits in lower case, not all zero. */
  readonly spanId: string
  /** Whoever began the trace wants it recorded. */
  readonly isSampled: boolean
  /** What other systems have noted about the trace; passed on as it came. */
  readonly traceState?: string
}
