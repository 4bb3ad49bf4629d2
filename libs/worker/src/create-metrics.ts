import { type BrokerMetrics, type HandledOutcome, LADDER_LEVELS, ladderLevelOf } from '@gatehouse/broker'
import { isMessageType, MESSAGES } from '@gatehouse/messages'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }

const SECONDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const CONFIRM_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const OUTCOMES: readonly HandledOutcome[] = ['done', 'later', 'retry', 'dead', 'requeued', 'dropped']

/** Gauges that are called `_total`, which is for counters only; their sums are in those without it, by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** A registry of one worker's figures, with those of the process (memory, event loop) and of the build in it. */
export function createMetrics(worker: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ worker })
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  new Gauge({
    name: 'gatehouse_build_info',
    help: 'Always 1; which build this is',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: manifest.version }, 1)
  return registry
}

/** What the broker connection tells, as Prometheus series. All exist from the start, at zero, so that rates see the first event. */
export function createBrokerMetrics(registry: Registry): Required<BrokerMetrics> {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers })
  const handled = counter('gatehouse_messages_handled_total', 'Deliveries handled, by how they ended', ['type', 'outcome'])
  const published = counter('gatehouse_messages_published_total', 'Messages published and confirmed', ['type'])
  const delayed = counter('gatehouse_messages_delayed_total', 'Messages put into the delay ladder', ['type', 'reason'])
  const dead = counter('gatehouse_dead_letters_total', 'Messages given up', ['type', 'reason', 'code'])
  const laddered = counter(
    'gatehouse_ladder_messages_total',
    'Messages put into the delay ladder, by the level they entered at',
    ['level'],
  )
  const confirming = new Histogram({
    name: 'gatehouse_publish_confirm_seconds',
    help: 'Time from sending a publication to its confirm',
    buckets: CONFIRM_SECONDS,
    registers,
  })
  const handling = new Histogram({
    name: 'gatehouse_message_handling_seconds',
    help: 'Time from delivery to settlement',
    labelNames: ['type'],
    buckets: SECONDS,
    registers,
  })
  const ready = new Gauge({ name: 'gatehouse_broker_ready', help: '1 while the broker can be used', registers })
  for (const type of Object.keys(MESSAGES)) {
    for (const outcome of OUTCOMES) handled.inc({ type, outcome }, 0)
    published.inc({ type }, 0)
    handling.zero({ type })
    delayed.inc({ type, reason: 'unexpected-error' }, 0)
    dead.inc({ type, reason: 'attempts-exhausted', code: 'unexpected-error' }, 0)
  }
  for (let level = 0; level < LADDER_LEVELS; level++) laddered.inc({ level }, 0)
  return {
    handled(foreign, outcome, seconds) {
      const type = labelOf(foreign)
      handled.inc({ type, outcome })
      handling.observe({ type }, seconds)
    },
    published: (type) => published.inc({ type: labelOf(type) }),
    delayed(type, reason, delayMs) {
      delayed.inc({ type: labelOf(type), reason })
      laddered.inc({ level: ladderLevelOf(delayMs) })
    },
    deadLettered: (type, reason, code) => dead.inc({ type: labelOf(type), reason, code }),
    confirmed: (seconds) => confirming.observe(seconds),
    stateChanged: (state) => ready.set(state === 'ready' ? 1 : 0),
  }
}

/** What a message says of its type is anybody's text: a label of its own for each would fill the memory. */
function labelOf(type: string): string {
  return isMessageType(type) ? type : 'unknown'
}
