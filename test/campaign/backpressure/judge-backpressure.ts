/** What was seen at one moment. */
export type Sample = {
  /** Messages that wait in each queue. */
  readonly depths: ReadonlyMap<string, number>
  /** Resident memory of each worker, in MiB. */
  readonly memoryMiB: ReadonlyMap<string, number>
  readonly holds: readonly string[]
}

export type Check = { readonly check: string; readonly isSo: boolean; readonly seen: string }

export type QueueFigures = { readonly queue: string; readonly most: number; readonly bound: number }
export type MemoryFigures = {
  readonly worker: string
  readonly beginMiB: number
  readonly endMiB: number
  readonly boundMiB: number
}

/** A queue takes what its publishers have on the way when it becomes full: the window of each is the most it is overshot by. */
export type Bounds = { readonly inboxMax: number; readonly unconfirmedMax: number; readonly mailboxes: number }

/** Memory that is flat still breathes: garbage is collected when V8 sees fit. */
const GROWTH = 1.15
const BREATH_MIB = 25

/** The deepest each queue has been, against what it may be. */
export function readQueueFigures(samples: readonly Sample[], bounds: Bounds): QueueFigures[] {
  const most = new Map<string, number>()
  for (const { depths } of samples) for (const [queue, ready] of depths) most.set(queue, Math.max(most.get(queue) ?? 0, ready))
  return [...most]
    .filter(([, depth]) => depth > 0)
    .map(([queue, depth]) => ({ queue, most: depth, bound: boundOf(queue, bounds) }))
}

/** What waits its time was accepted before: each mailbox has one message, wherever it is. */
function boundOf(queue: string, { inboxMax, unconfirmedMax, mailboxes }: Bounds): number {
  if (queue.endsWith('.due') || queue.startsWith('gh.retry.')) return mailboxes
  if (queue.endsWith('.dead') || queue === 'gh.unrouted') return 0
  return inboxMax + unconfirmedMax
}

/** The memory of each worker in the first and in the last third of the time for which work was held. */
export function readMemoryFigures(samples: readonly Sample[]): MemoryFigures[] {
  const third = Math.max(1, Math.floor(samples.length / 3))
  const workers = [...(samples[0]?.memoryMiB.keys() ?? [])]
  return workers.map((worker) => {
    const all = samples.map((sample) => sample.memoryMiB.get(worker) ?? 0)
    const beginMiB = median(all.slice(0, third))
    return { worker, beginMiB, endMiB: median(all.slice(-third)), boundMiB: Math.round(beginMiB * GROWTH + BREATH_MIB) }
  })
}

/** What `gatehouse status` must have said while the cmdlets took so long. */
export function checkHolds(holds: readonly string[], cmdletSeconds: number): Check[] {
  const wanted: readonly (readonly [string, RegExp])[] = [
    [
      'status says that the runspaces are busy, with what, and how long it will take',
      new RegExp(
        `^enforcement: [\\d,]+ mailboxes wait; \\d+ of \\d+ runspaces are busy; Set-CASMailbox takes ${cmdletSeconds}\\.\\d s; at this rate [\\d.]+ (s|min|h)$`,
      ),
    ],
    [
      'status says that compliance-lookup waits for room',
      /^compliance-lookup: [\d,]+ publications wait, for the inbox of enforcement is full$/,
    ],
    [
      'status says that discovery waits for room',
      /^discovery: [\d,]+ publications wait, for the inbox of compliance-lookup is full$/,
    ],
  ]
  return wanted.map(([check, pattern]) => {
    const said = holds.find((hold) => pattern.test(hold))
    return { check, isSo: said !== undefined, seen: said ?? holds.slice(0, 5).join(' | ') }
  })
}

export function checkFigures(queues: readonly QueueFigures[], memory: readonly MemoryFigures[]): Check[] {
  const over = queues.filter((one) => one.most > one.bound)
  const grown = memory.filter((one) => one.endMiB > one.boundMiB)
  return [
    {
      check: 'every queue was bounded',
      isSo: queues.length > 0 && over.length === 0,
      seen: over.map((one) => `${one.queue} ${one.most} > ${one.bound}`).join(', ') || `${queues.length} queues in use`,
    },
    {
      check: 'the memory of every worker was flat while work was held',
      isSo: memory.length > 0 && grown.length === 0,
      seen: grown.map((one) => `${one.worker} ${one.beginMiB} → ${one.endMiB} MiB`).join(', ') || `${memory.length} workers`,
    },
  ]
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
