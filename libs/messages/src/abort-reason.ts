/** The reason of an aborted signal as an Error, whatever was handed to `abort()`. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('Aborted', { cause: signal.reason })
}
