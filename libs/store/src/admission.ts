/** Runs work, at once or when its turn has come. */
export type Admission = <T>(work: () => Promise<T>) => Promise<T>

/** Lets so many pieces of work run at once, in the order of asking. The caller bounds how many may wait. */
export function createAdmission(max: number): Admission {
  const waiting: (() => void)[] = []
  let free = max
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
