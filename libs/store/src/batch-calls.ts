export type BatchOptions<Item, Answer> = {
  /** One statement for all of them; the answers in the same order. */
  readonly run: (items: readonly Item[]) => Promise<readonly Answer[]>
  /** Two items of one key never share a batch: a statement cannot write a row twice. */
  readonly keyOf: (item: Item) => string
  readonly batchMax: number
  /** Statements under way at once. */
  readonly concurrency: number
}

type Call<Item, Answer> = { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void }

/**
 * Calls that pile up while a statement is under way share the next one: thousands of mailboxes cost PostgreSQL and the network
 * a fraction of what they cost one by one, and a single call waits for nobody. A batch that fails is tried again item by item,
 * so that one bad item does not fail its neighbours.
 */
export function batchCalls<Item, Answer>(options: BatchOptions<Item, Answer>): (item: Item) => Promise<Answer> {
  let waiting: Call<Item, Answer>[] = []
  let underWay = 0

  const pump = (): void => {
    while (underWay < options.concurrency && waiting.length > 0) {
      const batch = takeBatch()
      underWay++
      void settle(batch, options.run).finally(() => {
        underWay--
        pump()
      })
    }
  }
  const takeBatch = (): Call<Item, Answer>[] => {
    const keys = new Set<string>()
    const batch: Call<Item, Answer>[] = []
    waiting = waiting.filter((call) => {
      const key = options.keyOf(call.item)
      if (batch.length >= options.batchMax || keys.has(key)) return true
      keys.add(key)
      batch.push(call)
      return false
    })
    return batch
  }
  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    waiting.push({ item, resolve, reject })
    // Lets everything that becomes ready in this turn of the event loop join the batch.
    setImmediate(pump)
    return promise
  }
}

async function settle<Item, Answer>(
  batch: readonly Call<Item, Answer>[],
  run: BatchOptions<Item, Answer>['run'],
): Promise<void> {
  try {
    const answers = await run(batch.map((call) => call.item))
    for (const [index, call] of batch.entries()) call.resolve(answers[index] as Answer)
  } catch (error) {
    const [only] = batch
    if (only !== undefined && batch.length === 1) only.reject(error)
    else for (const call of batch) await settle([call], run)
  }
}
