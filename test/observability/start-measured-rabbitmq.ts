import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePorts, type LocalRabbitmq, startLocalRabbitmq } from '@gatehouse/broker/local'

export type MeasuredRabbitmq = { readonly node: LocalRabbitmq; readonly metricsAddress: string }

/** A RabbitMQ node of one's own whose figures Prometheus can read, as those in production can be. */
export async function startMeasuredRabbitmq(directory: string, signal: AbortSignal): Promise<MeasuredRabbitmq> {
  const node = await startLocalRabbitmq({ directory, log: { info() {}, warn() {} }, signal })
  try {
    const [port] = await findFreePorts(1)
    const plugins = join(directory, 'enabled_plugins')
    await writeFile(plugins, '[rabbitmq_management,rabbitmq_prometheus].\n')
    await node.rabbitmqctl(
      'eval',
      `application:load(rabbitmq_prometheus),
       application:set_env(rabbitmq_prometheus, tcp_config, [{port, ${port}}, {ip, "127.0.0.1"}]),
       rabbit_plugins:ensure("${plugins}").`,
    )
    return { node, metricsAddress: `127.0.0.1:${port}` }
  } catch (error) {
    await node.stop({ kill: true })
    throw error
  }
}
