export type WatchOptions = {
  readonly look: (signal: AbortSignal) => Promise<void>
  readonly everyMs: number
  readonly onFailure: (error: unknown) => void
}

/** Looks now and every so often, never twice at once; a look that fails is left out. */
export function startWatch({ look, everyMs, onFailure }: WatchOptions): AsyncDisposable {
  const stop = new AbortController()
  let underWay: Promise<void> | undefined
  const begin = (): void => {
    underWay ??= look(stop.signal)
      .catch(onFailure)
      .finally(() => {
        underWay = undefined
      })
  }
  begin()
  const timer = setInterval(begin, everyMs)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      stop.abort(new Error('The worker stops'))
      await underWay
    },
  }
}
