/** Aborted when this process is asked to stop, for a program that lets go of what it started first. */
export function createStopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`Asked to stop by ${name}`)))
  return stop.signal
}
