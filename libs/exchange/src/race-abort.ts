import { abortReason } from '@gatehouse/messages'

/** Waits for work that several callers share: whoever aborts stops waiting, the work goes on. Rejects with the signal's reason. */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(abortReason(signal))
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
