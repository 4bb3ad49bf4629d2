import {
  type BrokerConnection,
  createTopology,
  deadQueueOf,
  LADDER_LEVELS,
  ladderLevelName,
  queueNamesOf,
  SERVICE_NAMES,
  UNROUTED,
} from '@gatehouse/broker'

/** Messages that wait in each queue, without those in hand. A queue that RabbitMQ does not have is missing. */
export type QueueDepths = ReadonlyMap<string, number>

export const LADDER_QUEUES: readonly string[] = Array.from({ length: LADDER_LEVELS }, (_, level) => ladderLevelName(level))
const ALL_QUEUES: readonly string[] = [...SERVICE_NAMES.flatMap((service) => queueNamesOf(service)), ...LADDER_QUEUES, UNROUTED]

/** All queues, and how many messages each takes at most by the policies of the topology. */
export function measuredQueues(): { name: string; lengthMax: number | undefined }[] {
  const policies = createTopology().policies.filter((policy) => policy['apply-to'] === 'queues')
  return ALL_QUEUES.map((name) => {
    const limit = policies.find(({ pattern }) => new RegExp(pattern).test(name))?.definition['max-length']
    return { name, lengthMax: limit === undefined ? undefined : Number(limit) }
  })
}

/** Where work waits; in the other queues it waits for a person. */
const WORK_QUEUES = ALL_QUEUES.filter((name) => name !== UNROUTED && !SERVICE_NAMES.map(deadQueueOf).includes(name))

/** Whether there is certainly nothing on its way: every queue is there, and none of those of work holds a message. */
export function isNothingOnItsWay(depths: QueueDepths): boolean {
  return WORK_QUEUES.every((name) => depths.get(name) === 0)
}

const FRESH_MS = 500
const READ_MS = 5_000

/**
 * Reads the depths by passive declares: exact and immediate, where the management API is seconds behind (reference of
 * RabbitMQ: "the message count is that of ready messages"). Whoever asks within half a second shares an answer.
 */
export function createDepthReader(
  broker: Pick<BrokerConnection, 'openChannel'>,
  nowMs: () => number,
): (signal: AbortSignal) => Promise<QueueDepths> {
  let last: { readonly depths: Promise<QueueDepths>; readonly atMs: number } | undefined
  return async (signal) => {
    if (last === undefined || nowMs() - last.atMs > FRESH_MS) {
      const depths = readDepths(broker, AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]))
      depths.catch(() => {
        last = undefined
      })
      last = { depths, atMs: nowMs() }
    }
    return await last.depths
  }
}

async function readDepths(broker: Pick<BrokerConnection, 'openChannel'>, signal: AbortSignal): Promise<QueueDepths> {
  const depths = new Map<string, number>()
  let channel = await broker.openChannel(signal)
  try {
    for (const queue of ALL_QUEUES) {
      signal.throwIfAborted()
      try {
        depths.set(queue, (await channel.checkQueue(queue)).messageCount)
      } catch {
        // A queue that is not there, or may not be asked for, costs the channel.
        channel = await broker.openChannel(signal)
      }
    }
  } finally {
    await channel.close().catch(() => {})
  }
  return depths
}
