import { LANES, MESSAGES, type MessageType, routingKeyOf } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { createTopology } from './create-topology.ts'
import { ladderRoute } from './delay-ladder.ts'
import { SERVICE_NAMES, type ServiceName } from './service-names.ts'
import { DEAD, exchangeOf } from './topology-names.ts'

const topology = createTopology()
const types = Object.keys(MESSAGES) as MessageType[]

/** How a topic exchange compares a pattern with a key. */
function matches(pattern: string, key: string): boolean {
  const expression = pattern
    .replaceAll('.', '\\.')
    .replaceAll('*', '[^.]+')
    .replace(/\\\.#$/, '(\\..+)?')
    .replace(/^#$/, '.*')
  return new RegExp(`^${expression}$`).test(key)
}

/** The queues a message reaches, through exchanges as well. */
function route(exchange: string, key: string): string[] {
  return topology.bindings
    .filter((binding) => binding.source === exchange && matches(binding.routing_key, key))
    .flatMap((binding) => (binding.destination_type === 'queue' ? [binding.destination] : route(binding.destination, key)))
}

function mayWrite(service: ServiceName, exchange: string, key: string): boolean {
  const user = `gh-${service}`
  const permission = topology.permissions.find((right) => right.user === user)
  const topic = topology.topic_permissions.find((right) => right.user === user && right.exchange === exchange)
  return new RegExp(permission?.write ?? '$^').test(exchange) && new RegExp(topic?.write ?? '').test(key)
}

describe('the topology', () => {
  it('routes every command to its owner and every event to those who handle it, by lane', () => {
    const routed = Object.fromEntries(types.map((type) => [type, route(exchangeOf(type), routingKeyOf('bulk', type))]))

    expect(routed).toEqual({
      'discovery.sync': ['gh.discovery'],
      'compliance-lookup.refresh': ['gh.compliance-lookup'],
      'compliance-lookup.decide-mailbox': ['gh.compliance-lookup'],
      'enforcement.reconcile-organization': ['gh.enforcement'],
      'enforcement.act-on-device': ['gh.enforcement'],
      'notification.send-notice': ['gh.notification'],
      'mailbox.observed': ['gh.compliance-lookup'],
      'mailbox.decided': ['gh.enforcement'],
      'access.changed': ['gh.notification'],
      'policy.changed': ['gh.compliance-lookup'],
      'sync.progressed': ['gh.control'],
    })
    for (const type of types)
      expect(route(exchangeOf(type), routingKeyOf('urgent', type))).toEqual(routed[type]?.map((queue) => `${queue}.urgent`))
  })

  it('brings what comes out of the ladder to the due queue of its service and lane, whichever levels it passes', () => {
    for (const service of SERVICE_NAMES)
      for (const lane of LANES) {
        const { exchange, routingKey } = ladderRoute(0, { service, lane })

        expect(route(exchange, routingKey)).toEqual([`gh.${service}${lane === 'urgent' ? '.urgent' : ''}.due`])
      }
    const { exchange, routingKey } = ladderRoute(4_000, { service: 'control', lane: 'bulk' })
    expect(route(exchange, routingKey)).toEqual(['gh.retry.l04'])
  })

  it('makes every queue a quorum queue under exactly one policy', () => {
    for (const queue of topology.queues) {
      const policies = topology.policies.filter(
        (policy) => policy['apply-to'] === 'queues' && new RegExp(policy.pattern).test(queue.name),
      )

      expect(queue.arguments['x-queue-type']).toBe('quorum')
      expect(policies.map(({ name }) => name)).toHaveLength(queue.name.startsWith('gh.retry.') ? 0 : 1)
    }
  })

  it('lets nothing that is dead-lettered get lost, and never uses -1 for a limit', () => {
    const settings = [
      ...topology.policies.map(({ definition }) => definition),
      ...topology.queues.map((queue) => queue.arguments),
    ]
    for (const one of settings) {
      const prefix = Object.hasOwn(one, 'x-queue-type') ? 'x-' : ''
      if (one[`${prefix}dead-letter-exchange`] === undefined) continue

      expect(one[`${prefix}dead-letter-strategy`]).toBe('at-least-once')
      expect(one[`${prefix}overflow`]).toBe('reject-publish')
    }
    expect(JSON.stringify(settings)).not.toContain('-1')
  })

  it('bounds the inboxes and the dead, never the due queues that share the ladder', () => {
    for (const { pattern, definition } of topology.policies)
      expect('max-length' in definition).toBe(!pattern.includes('due') && !pattern.includes('commands'))
  })

  it('gives each worker the rights it needs and no more', () => {
    for (const { user, configure, read } of topology.permissions) {
      const readable = topology.queues.map(({ name }) => name).filter((name) => new RegExp(read).test(name))
      const own = `gh.${user.slice(3)}`

      expect(new RegExp(configure).test('gh.anything')).toBe(false)
      const queues = [own, `${own}.due`, `${own}.urgent`, `${own}.urgent.due`]
      const dead = user === 'gh-control' ? ['gh.unrouted', ...SERVICE_NAMES.map((service) => `gh.${service}.dead`)] : []
      expect(readable.sort()).toEqual([...queues, ...dead].sort())
    }
    const bits = '0.'.repeat(14)
    expect(mayWrite('discovery', 'gh.events', 'bulk.mailbox.observed.v1')).toBe(true)
    expect(mayWrite('discovery', 'gh.events', 'bulk.mailbox.decided.v1')).toBe(false)
    expect(mayWrite('discovery', 'gh.commands', 'urgent.enforcement.act-on-device.v1')).toBe(false)
    expect(mayWrite('discovery', 'gh.retry.l00', `${bits}bulk.discovery`)).toBe(true)
    expect(mayWrite('discovery', 'gh.retry.l00', `${bits}bulk.enforcement`)).toBe(false)
    expect(mayWrite('discovery', DEAD, 'discovery')).toBe(true)
    expect(mayWrite('discovery', DEAD, 'control')).toBe(false)
    expect(mayWrite('control', DEAD, 'discovery')).toBe(true)
    expect(mayWrite('control', 'gh.retry.l00', `${bits}bulk.enforcement`)).toBe(true)
    expect(mayWrite('control', 'gh.commands', 'urgent.enforcement.act-on-device.v1')).toBe(true)
  })

  it('names the virtual host and the users as it is told', () => {
    const { vhosts, permissions, bindings } = createTopology({ vhost: 'other', userPrefix: 'x-' })

    expect(vhosts).toEqual([{ name: 'other' }])
    expect(new Set(bindings.map(({ vhost }) => vhost))).toEqual(new Set(['other']))
    expect(permissions.map(({ user }) => user)).toContain('x-compliance-lookup')
  })
})
