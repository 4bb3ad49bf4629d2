import { handlersOf, type ServiceName } from '@gatehouse/broker'
import { parseRoutingKey } from '@gatehouse/messages'
import type { WorkerState, WorkResource } from '@gatehouse/worker'
import type { ServiceStatus, StatusFacts } from './plan-status.ts'

export type HoldFacts = {
  readonly services: readonly { readonly status: ServiceStatus; readonly copies: readonly WorkerState[] }[]
  readonly ladder: number | null
  readonly unrouted: number | null
  readonly heldRuns: StatusFacts['heldRuns']
  readonly replays: StatusFacts['replays']
  readonly isBrokerKnown: boolean
}

/** What the messages of each are, one and several. */
const NOUNS: { readonly [S in ServiceName]: readonly [string, string] } = {
  control: ['report', 'reports'],
  discovery: ['sync', 'syncs'],
  'compliance-lookup': ['mailbox', 'mailboxes'],
  enforcement: ['mailbox', 'mailboxes'],
  notification: ['notice', 'notices'],
}
const MESSAGES: readonly [string, string] = ['message', 'messages']
const TEXT_CHARACTERS_MAX = 200

/** Where work is held and by what: a sentence each, the gravest first. */
export function describeHolds(facts: HoldFacts): string[] {
  return [
    ...(facts.isBrokerKnown ? [] : ['RabbitMQ does not answer: how much waits is not known']),
    ...(facts.unrouted
      ? [`${countOf(facts.unrouted, MESSAGES)} in gh.unrouted, which no queue takes: apply the topology`]
      : []),
    ...describeBlocked(facts),
    ...facts.services.flatMap(({ status, copies }) => describeService(status, copies)),
    ...facts.heldRuns.map(describeHeldRun),
    ...facts.replays.map(describeReplay),
    ...(facts.ladder ? [`${waitOf(facts.ladder, MESSAGES)} in the delay ladder for their time`] : []),
    ...facts.services.flatMap(({ status }) =>
      status.dead ? [`${status.service}: ${countOf(status.dead, ['dead letter', 'dead letters'])}`] : [],
    ),
  ]
}

function describeBlocked({ services }: HoldFacts): string[] {
  const blocked = services.flatMap(({ status, copies }) =>
    copies.flatMap(({ broker }) => (broker.blocked === undefined ? [] : [{ service: status.service, ...broker.blocked }])),
  )
  const [first] = blocked
  if (first === undefined) return []
  const names = [...new Set(blocked.map((one) => one.service))].join(', ')
  const since = clock(Math.min(...blocked.map((one) => one.sinceMs)))
  return [`RabbitMQ blocks publishing (${short(first.reason)}) since ${since}: ${names}`]
}

function describeService(status: ServiceStatus, copies: readonly WorkerState[]): string[] {
  const { service } = status
  const waiting = (status.urgent ?? 0) + (status.bulk ?? 0) + (status.due ?? 0) + status.inHand
  if (status.copies === 0) return waiting === 0 ? [] : [`${service}: ${waitOf(waiting, MESSAGES)} and no copy is running`]
  const paused = describePause(service, copies, waiting)
  if (paused !== undefined) return [paused]
  // While it waits for room its own rate says nothing.
  const refused = copies.reduce((sum, { broker }) => sum + broker.refused, 0)
  const resources = joinResources(copies.flatMap((copy) => copy.resources))
  return [
    ...resources.flatMap((one) => describePausedResource(service, one)),
    ...(refused > 0 ? [describeRefused(service, refused, copies)] : []),
    ...(waiting === 0 || refused > 0 ? [] : [describeProgress(status, waiting, resources)]),
  ]
}

function describePause(service: ServiceName, copies: readonly WorkerState[], waiting: number): string | undefined {
  const held = copies.flatMap(({ consumer }) => consumer?.held ?? [])
  const [first] = held
  // Idle after an outage: the next message will find out.
  if (first === undefined || (first.isProbing && waiting === 0)) return undefined
  const which = held.length === copies.length ? service : `${held.length} of ${copies.length} copies of ${service}`
  const reason = first.reason === '' ? `${first.by} does not answer` : `${first.by}: ${short(first.reason)}`
  const until = first.isProbing ? 'one message goes first to find out' : `until ${clock(first.untilMs)}`
  return `${which} ${held.length > 1 && which !== service ? 'are' : 'is'} paused since ${clock(first.sinceMs)}: ${reason}; ${until}; ${waitOf(waiting, NOUNS[service])}`
}

function describePausedResource(service: ServiceName, { name, pause }: WorkResource): string[] {
  if (pause === undefined) return []
  return [`${service}: what is for ${short(name)} waits until ${clock(pause.untilMs)}: ${short(pause.reason)}`]
}

/** The queue that refuses is of whoever handles what is refused. */
function describeRefused(service: ServiceName, refused: number, copies: readonly WorkerState[]): string {
  const key = copies.map(({ broker }) => broker.refusedKey).find((one) => one !== undefined)
  return `${service}: ${waitOf(refused, ['publication', 'publications'])}, for ${inboxBehind(key)} is full`
}

function inboxBehind(key: string | undefined): string {
  const parsed = key === undefined ? undefined : parseRoutingKey(key)
  if (parsed === undefined) return 'the queue they go to'
  return `the inbox of ${handlersOf(parsed.type).join(' or ')}`
}

function describeProgress(status: ServiceStatus, waiting: number, resources: readonly WorkResource[]): string {
  const parts = [waitOf(waiting, NOUNS[status.service])]
  const wanted = resources.find((one) => one.queued > 0 && (one.busy >= one.slots || one.open < one.slots))
  let perSecond = status.handledPerSecond
  if (wanted === undefined) parts.push(`${perSecond} a second are handled`)
  else if (wanted.busy < wanted.slots) parts.push(`only ${wanted.open} of ${wanted.slots} ${wanted.unit} are open`)
  else {
    parts.push(`${wanted.busy} of ${wanted.slots} ${wanted.unit} are busy`)
    if (wanted.secondsEach !== undefined && wanted.secondsEach > 0) {
      parts.push(`${wanted.call} takes ${wanted.secondsEach.toFixed(1)} s`)
      perSecond = wanted.slots / wanted.secondsEach
    }
  }
  if (status.limit < status.ceiling)
    parts.push(`at most ${status.limit} at once instead of ${status.ceiling}, for it was throttled or slow`)
  if (perSecond > 0) parts.push(`at this rate ${duration(waiting / perSecond)}`)
  return `${status.service}: ${parts.join('; ')}`
}

/** The copies of a worker share the account, so their runspaces add up. */
function joinResources(all: readonly WorkResource[]): WorkResource[] {
  const joined = new Map<string, WorkResource>()
  for (const one of all) {
    const key = `${one.name} ${one.unit}`
    const before = joined.get(key)
    joined.set(
      key,
      before === undefined
        ? one
        : {
            ...before,
            slots: before.slots + one.slots,
            open: before.open + one.open,
            busy: before.busy + one.busy,
            queued: before.queued + one.queued,
            secondsEach: before.secondsEach ?? one.secondsEach,
            pause: before.pause ?? one.pause,
          },
    )
  }
  return [...joined.values()]
}

function describeHeldRun(run: HoldFacts['heldRuns'][number]): string {
  return `${short(run.organization)}: the brake holds run ${run.id}, which would block ${count(run.would_block)} devices (limit ${count(run.brake_limit)}), until it is confirmed`
}

function describeReplay({ id, state, actor, counts, problem }: HoldFacts['replays'][number]): string {
  const sent = `${count(counts.sent)} of ${count(counts.selected)} dead letters sent`
  if (state === 'running') return `Replay ${id} of ${short(actor)} runs: ${sent}`
  return `Replay ${id} of ${short(actor)} was stopped, ${sent}: ${short(problem?.message ?? '')}`
}

function countOf(value: number, [one, several]: readonly [string, string]): string {
  return `${count(value)} ${value === 1 ? one : several}`
}

function waitOf(value: number, nouns: readonly [string, string]): string {
  return `${countOf(value, nouns)} ${value === 1 ? 'waits' : 'wait'}`
}

function count(value: number): string {
  return value.toLocaleString('en-GB')
}

function clock(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? `${new Date(ms).toISOString().slice(11, 19)} UTC` : 'some time'
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3_600).toFixed(1)} h`
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > TEXT_CHARACTERS_MAX ? `${line.slice(0, TEXT_CHARACTERS_MAX - 1)}…` : line
}
