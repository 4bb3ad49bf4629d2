import type { Channel, ChannelModel } from 'amqplib'
import { createTopology } from './create-topology.ts'
import type { ServiceName } from './service-names.ts'
import { waitFor } from './wait-for.ts'

type Wanted = { readonly kind: 'queue' | 'exchange'; readonly name: string }

/**
 * What a service has rights to and does not find, by asking without declaring: `queue gh.discovery`. That needs no right to
 * configure, on RabbitMQ 3.10 to 4.3, and sees only whether a thing is there: its shape is for `applyTopology` to compare.
 */
export async function findMissingTopology(model: ChannelModel, service: ServiceName, signal: AbortSignal): Promise<string[]> {
  const missing: string[] = []
  let channel: Channel | undefined
  for (const wanted of wantedBy(service)) {
    channel ??= await waitFor(openQuietly(model), signal)
    const refusal = await waitFor(ask(channel, wanted), signal)
    if (refusal === undefined) continue
    missing.push(refusal === 'absent' ? `${wanted.kind} ${wanted.name}` : `the right to ${wanted.kind} ${wanted.name}`)
    // The broker has closed it over the question.
    channel = undefined
  }
  await channel?.close()
  return missing
}

function wantedBy(service: ServiceName): Wanted[] {
  const { queues, exchanges, permissions } = createTopology()
  const mine = permissions.find(({ user }) => user === `gh-${service}`)
  if (mine === undefined) throw new TypeError(`No rights for ${service}`)
  const [read, write] = [new RegExp(mine.read), new RegExp(mine.write)]
  return [
    ...queues.filter(({ name }) => read.test(name)).map(({ name }) => ({ kind: 'queue' as const, name })),
    ...exchanges.filter(({ name }) => write.test(name)).map(({ name }) => ({ kind: 'exchange' as const, name })),
  ]
}

async function openQuietly(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel()
  // The question's own promise tells it; without a listener it would end the process.
  channel.on('error', () => {})
  return channel
}

async function ask(channel: Channel, { kind, name }: Wanted): Promise<'absent' | 'refused' | undefined> {
  try {
    if (kind === 'queue') await channel.checkQueue(name)
    else await channel.checkExchange(name)
    return undefined
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (code === 404) return 'absent'
    if (code === 403) return 'refused'
    throw error
  }
}
