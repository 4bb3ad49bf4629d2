import { WORKER_STATE_VERSION, type WorkerState } from '@gatehouse/worker'
import { describe, expect, it } from 'vitest'
import { planStatus, type StatusFacts } from './plan-status.ts'

const NOW = Date.UTC(2026, 10, 26, 14, 0, 0)

type Changes = {
  consumer?: Partial<NonNullable<WorkerState['consumer']>>
  broker?: Partial<WorkerState['broker']>
  resources?: WorkerState['resources']
}

const stateOf = (service: NonNullable<WorkerState['consumer']>['service'], changes: Changes = {}): WorkerState => ({
  version: WORKER_STATE_VERSION,
  broker: {
    state: 'ready',
    blocked: undefined,
    blockedMs: 0,
    unconfirmed: 0,
    toPublish: 0,
    refused: 0,
    refusedKey: undefined,
    ...changes.broker,
  },
  consumer: {
    service,
    running: 0,
    waiting: 0,
    subscribed: 4,
    limit: 24,
    ceiling: 24,
    handled: 0,
    handledPerSecond: 0,
    held: undefined,
    oldestReceivedAt: undefined,
    oldestSentAt: undefined,
    ...changes.consumer,
  },
  resources: changes.resources ?? [],
})

const copy = (state: WorkerState, age_ms = 500): StatusFacts['workers'][number] => ({
  holder: `${Math.random()}`,
  worker: state.consumer?.service ?? '',
  started_at: new Date(NOW),
  age_ms,
  state,
})

const holdsOf = (facts: Partial<StatusFacts>): readonly string[] =>
  planStatus({ nowMs: NOW, depths: new Map(), workers: [], heldRuns: [], replays: [], ...facts }).holds

const runspaces = {
  name: 'contoso',
  unit: 'runspaces',
  slots: 12,
  open: 12,
  busy: 12,
  queued: 60,
  call: 'Set-CASMailbox',
  secondsEach: 2,
}

describe('where work is held', () => {
  it('is nowhere when nothing waits', () => {
    expect(holdsOf({ workers: [copy(stateOf('enforcement'))] })).toEqual([])
  })

  it('is at the runspaces, with how long it will take', () => {
    const holds = holdsOf({
      depths: new Map([['gh.enforcement', 18_168]]),
      workers: [copy(stateOf('enforcement', { consumer: { running: 72 }, resources: [{ ...runspaces, pause: undefined }] }))],
    })

    expect(holds).toEqual([
      'enforcement: 18,240 mailboxes wait; 12 of 12 runspaces are busy; Set-CASMailbox takes 2.0 s; at this rate 51 min',
    ])
  })

  it('is at runspaces that cannot be opened', () => {
    const resources = [{ ...runspaces, open: 2, busy: 2, pause: undefined }]

    expect(holdsOf({ workers: [copy(stateOf('enforcement', { consumer: { running: 62 }, resources }))] })).toEqual([
      'enforcement: 62 mailboxes wait; only 2 of 12 runspaces are open',
    ])
  })

  it('adds the copies of a worker up', () => {
    const half = { ...runspaces, slots: 6, open: 6, busy: 6, queued: 30, pause: undefined }
    const one = copy(stateOf('enforcement', { consumer: { running: 36 }, resources: [half] }))
    const other = copy(stateOf('enforcement', { consumer: { running: 36 }, resources: [half] }))

    expect(holdsOf({ depths: new Map([['gh.enforcement', 648]]), workers: [one, other] })).toEqual([
      'enforcement: 720 mailboxes wait; 12 of 12 runspaces are busy; Set-CASMailbox takes 2.0 s; at this rate 2 min',
    ])
  })

  it('is at a dependency that does not answer, until when, and what waits for it', () => {
    const held = {
      by: 'Graph',
      isProbing: false,
      sinceMs: NOW - 60_000,
      untilMs: NOW + 200_000,
      reason: 'Graph is throttling us (HTTP 429)',
    }

    expect(
      holdsOf({
        depths: new Map([['gh.compliance-lookup', 1_200]]),
        workers: [copy(stateOf('compliance-lookup', { consumer: { held } }))],
      }),
    ).toEqual([
      'compliance-lookup is paused since 13:59:00 UTC: Graph: Graph is throttling us (HTTP 429); until 14:03:20 UTC; 1,200 mailboxes wait',
    ])
  })

  it('is nowhere when a worker that has nothing to do has not found out yet whether a dependency answers again', () => {
    const held = { by: 'Mail server', isProbing: true, sinceMs: NOW - 60_000, untilMs: NOW - 1_000, reason: 'Down' }

    expect(holdsOf({ workers: [copy(stateOf('notification', { consumer: { held } }))] })).toEqual([])
  })

  it('is told of a copy of another build only that it runs', () => {
    const other = { ...stateOf('notification', { consumer: { running: 9 } }), version: 99 }

    expect(holdsOf({ depths: new Map([['gh.notification', 3]]), workers: [copy(other)] })).toEqual([
      'notification: 3 notices wait; 0 a second are handled',
    ])
  })

  it('is at the Exchange of one organisation while the others go on', () => {
    const pause = { sinceMs: NOW, untilMs: NOW + 5_000, reason: 'The server\nis gone' }
    const resources = [{ ...runspaces, busy: 0, queued: 0, pause }]

    expect(holdsOf({ workers: [copy(stateOf('enforcement', { resources }))] })).toEqual([
      'enforcement: what is for contoso waits until 14:00:05 UTC: The server is gone',
    ])
  })

  it('is at RabbitMQ when it blocks publishing, and at a queue that is full', () => {
    const blocked = { sinceMs: NOW - 12_000, reason: 'low on memory' }
    const workers = [
      copy(stateOf('discovery', { broker: { blocked } })),
      copy(stateOf('compliance-lookup', { broker: { refused: 24, refusedKey: 'bulk.mailbox.decided.v1' } })),
    ]

    expect(holdsOf({ workers })).toEqual([
      'RabbitMQ blocks publishing (low on memory) since 13:59:48 UTC: discovery',
      'compliance-lookup: 24 publications wait, for the inbox of enforcement is full',
    ])
  })

  it('is with workers that do not run, or have been silent', () => {
    const depths = new Map([['gh.notification', 3]])

    expect(holdsOf({ depths })).toEqual(['notification: 3 messages wait and no copy is running'])
    expect(holdsOf({ depths, workers: [copy(stateOf('notification'), 60_000)] })).toHaveLength(1)
  })

  it('is at the brake, in the ladder, among the dead, and where no queue took a message', () => {
    const run = { id: 'r1', organization: 'contoso', would_block: 300, brake_limit: 250 }
    const depths = new Map([
      ['gh.retry.l03', 40],
      ['gh.enforcement.dead', 2],
      ['gh.unrouted', 1],
    ])

    expect(holdsOf({ depths, heldRuns: [run] })).toEqual([
      '1 message in gh.unrouted, which no queue takes: apply the topology',
      'contoso: the brake holds run r1, which would block 300 devices (limit 250), until it is confirmed',
      '40 messages wait in the delay ladder for their time',
      'enforcement: 2 dead letters',
    ])
  })

  it('is at a replay that was stopped, and tells of one that runs', () => {
    const counts = { selected: 1_200, sent: 3, returned: 3, unaccounted: 0 }
    const stopped = {
      id: 'p1',
      state: 'stopped',
      actor: 'api (anna)',
      counts,
      problem: { code: 'x', message: '3 are dead again' },
    } as const
    const running = { ...stopped, id: 'p2', state: 'running', problem: null } as const

    expect(holdsOf({ depths: new Map(), replays: [running, stopped] })).toEqual([
      'Replay p2 of api (anna) runs: 3 of 1,200 dead letters sent',
      'Replay p1 of api (anna) was stopped, 3 of 1,200 dead letters sent: 3 are dead again',
    ])
  })

  it('says that it does not know when RabbitMQ does not answer', () => {
    expect(holdsOf({ depths: undefined })[0]).toBe('RabbitMQ does not answer: how much waits is not known')
  })

  it('says when a worker does less at once than it could', () => {
    const consumer = { running: 6, waiting: 4, limit: 6, handledPerSecond: 2 }

    expect(holdsOf({ workers: [copy(stateOf('compliance-lookup', { consumer }))] })).toEqual([
      'compliance-lookup: 10 mailboxes wait; 2 a second are handled; at most 6 at once instead of 24, for it was throttled or slow; at this rate 5 s',
    ])
  })
})

describe('the figures of a service', () => {
  it('are those of its queues and of its copies', () => {
    const consumer = { running: 5, waiting: 3, handledPerSecond: 1.26, oldestSentAt: NOW - 90_000 }
    const depths = new Map([
      ['gh.discovery', 7],
      ['gh.discovery.urgent', 1],
      ['gh.discovery.due', 2],
      ['gh.discovery.urgent.due', 3],
      ['gh.discovery.dead', 4],
    ])
    const { services } = planStatus({
      nowMs: NOW,
      depths,
      workers: [copy(stateOf('discovery', { consumer }))],
      heldRuns: [],
      replays: [],
    })

    expect(services.find((one) => one.service === 'discovery')).toEqual({
      service: 'discovery',
      copies: 1,
      urgent: 1,
      bulk: 7,
      due: 5,
      dead: 4,
      inHand: 8,
      running: 5,
      limit: 24,
      ceiling: 24,
      handledPerSecond: 1.3,
      oldestInHandSeconds: 90,
    })
  })
})
