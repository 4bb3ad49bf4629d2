import { createTopology } from '@gatehouse/broker'
import type { System } from '@gatehouse/cli/system'
import { connectAsAdmin } from '../../environment/connect-as-admin.ts'

export type QueueReader = { read(): Promise<Map<string, number>> } & AsyncDisposable

type Broker = NonNullable<System['parts']['broker']>

/** Makes the inboxes of all services as small as said: by policy, as an administrator would. */
export async function limitInboxes(system: System, lengthMax: number, signal: AbortSignal): Promise<void> {
  const broker = brokerOf(system)
  for (const policy of createTopology({ vhost: broker.vhost }).policies) {
    if (!policy.name.endsWith('-work')) continue
    const path = `/api/policies/${encodeURIComponent(broker.vhost)}/${policy.name}`
    const answer = await fetch(new URL(path, broker.managementUrl), {
      method: 'PUT',
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from(`${broker.user}:${broker.password}`).toString('base64')}`,
      },
      body: JSON.stringify({
        pattern: policy.pattern,
        'apply-to': policy['apply-to'],
        priority: policy.priority,
        definition: { ...policy.definition, 'max-length': lengthMax },
      }),
      signal,
    })
    if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`)
    await answer.body?.cancel()
  }
}

/** Reads all queues with a connection of its own, and not by what control says of them. */
export async function startQueueReader(system: Pick<System, 'parts'>): Promise<QueueReader> {
  const broker = brokerOf(system)
  const model = await connectAsAdmin(system)
  const channel = await model.createChannel()
  const names = createTopology({ vhost: broker.vhost }).queues.map((queue) => queue.name)
  return {
    async read() {
      const depths = new Map<string, number>()
      for (const name of names) depths.set(name, (await channel.checkQueue(name)).messageCount)
      return depths
    },
    [Symbol.asyncDispose]: () => model.close(),
  }
}

function brokerOf(system: Pick<System, 'parts'>): Broker {
  const { broker } = system.parts
  if (broker === undefined) throw new TypeError('The system has no broker of its own')
  return broker
}
