import { deadQueueOf, dueQueueOf, inboxOf, SERVICE_NAMES, type ServiceName, UNROUTED } from '@gatehouse/broker'
import type { ReplayView, Row, WorkerStateRow } from '@gatehouse/store'
import { WORKER_STATE_VERSION, type WorkerState } from '@gatehouse/worker'
import { describeHolds } from './describe-holds.ts'
import { LADDER_QUEUES, type QueueDepths } from './queue-depths.ts'

export type StatusFacts = {
  readonly nowMs: number
  /** Undefined: RabbitMQ could not be asked. */
  readonly depths: QueueDepths | undefined
  readonly workers: readonly WorkerStateRow<WorkerState>[]
  readonly heldRuns: readonly (Pick<Row<'sync_runs'>, 'id' | 'would_block' | 'brake_limit'> & {
    readonly organization: string
  })[]
  /** Replays of dead letters that run, and those that were stopped lately. */
  readonly replays: readonly Pick<ReplayView, 'id' | 'state' | 'actor' | 'counts' | 'problem'>[]
}

export type ServiceStatus = {
  readonly service: ServiceName
  readonly copies: number
  /** Ready in the inboxes, and what has come back from the ladder; null: not known. */
  readonly urgent: number | null
  readonly bulk: number | null
  readonly due: number | null
  readonly dead: number | null
  /** Delivered to its copies and not settled, of which so many run. */
  readonly inHand: number
  readonly running: number
  readonly limit: number
  readonly ceiling: number
  readonly handledPerSecond: number
  readonly oldestInHandSeconds: number | null
}

export type Status = {
  readonly services: readonly ServiceStatus[]
  readonly ladder: number | null
  readonly unrouted: number | null
  /** Where work is held, and by what: one sentence each. Empty: nowhere. */
  readonly holds: readonly string[]
}

/** A copy that has been silent for longer is not running, or cannot say what it does. */
const SILENT_MS = 15_000

/** The queues, the workers and the runs as one picture. */
export function planStatus(facts: StatusFacts): Status {
  const alive = facts.workers.filter((worker) => worker.age_ms <= SILENT_MS)
  const services = SERVICE_NAMES.map((service) => {
    const running = alive.filter((worker) => worker.worker === service)
    // A copy of another build counts as running; what it says may mean something else.
    const copies = running.map((worker) => worker.state).filter((state) => state.version === WORKER_STATE_VERSION)
    return { status: { ...serviceStatus(service, copies, facts), copies: running.length }, copies }
  })
  const ladder = sumOf(LADDER_QUEUES, facts.depths)
  const unrouted = sumOf([UNROUTED], facts.depths)
  return {
    services: services.map((one) => one.status),
    ladder,
    unrouted,
    holds: describeHolds({ services, ladder, unrouted, ...facts, isBrokerKnown: facts.depths !== undefined }),
  }
}

function serviceStatus(service: ServiceName, copies: readonly WorkerState[], { depths, nowMs }: StatusFacts): ServiceStatus {
  const consumers = copies.flatMap(({ consumer }) => consumer ?? [])
  const total = (read: (one: (typeof consumers)[number]) => number): number =>
    consumers.reduce((sum, one) => sum + read(one), 0)
  const oldest = Math.min(...consumers.map((one) => one.oldestSentAt ?? Number.POSITIVE_INFINITY))
  return {
    service,
    copies: copies.length,
    urgent: sumOf([inboxOf(service, 'urgent')], depths),
    bulk: sumOf([inboxOf(service, 'bulk')], depths),
    due: sumOf([dueQueueOf(service, 'urgent'), dueQueueOf(service, 'bulk')], depths),
    dead: sumOf([deadQueueOf(service)], depths),
    inHand: total((one) => one.running + one.waiting),
    running: total((one) => one.running),
    limit: total((one) => one.limit),
    ceiling: total((one) => one.ceiling),
    handledPerSecond: Math.round(total((one) => one.handledPerSecond) * 10) / 10,
    oldestInHandSeconds: Number.isFinite(oldest) ? Math.max(0, Math.round((nowMs - oldest) / 1_000)) : null,
  }
}

function sumOf(queues: readonly string[], depths: QueueDepths | undefined): number | null {
  let sum: number | null = null
  for (const queue of queues) {
    const ready = depths?.get(queue)
    if (ready !== undefined) sum = (sum ?? 0) + ready
  }
  return sum
}
