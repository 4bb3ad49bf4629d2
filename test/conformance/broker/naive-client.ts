import type { ConfirmChannel, GetMessage } from 'amqplib'
import { type BrokerUnderTest, readVersion, until } from '../../../libs/broker/test/broker-under-test.ts'

/** A client as one writes it at first: plain amqplib, one channel, queues of its own beside Gatehouse's in the same virtual host. */
export type NaiveClient = AsyncDisposable & {
  readonly channel: ConfirmChannel
  /** RabbitMQ before 4.0 believes the `x-death` that a client sends, and sets no delivery limit of its own. */
  readonly isBefore4: boolean
  declareQueue(name: string, more?: Record<string, string | number>): Promise<void>
  /** Whether the broker took it; only with mandatory would it tell that no queue did. */
  publish(exchange: string, routingKey: string, body: string, headers?: Record<string, unknown>): Promise<'ack' | 'nack'>
  /** The next message of a queue, unsettled, once there is one. */
  take(queue: string): Promise<GetMessage>
}

export async function startNaiveClient(broker: BrokerUnderTest): Promise<NaiveClient> {
  const { major } = await readVersion(broker)
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  channel.on('error', () => {})
  return {
    channel,
    isBefore4: major < 4,
    declareQueue: async (name, more = {}) => {
      await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum', ...more } })
    },
    publish: (exchange, routingKey, body, headers = {}) =>
      new Promise((resolve) => {
        const options = { persistent: true, headers }
        channel.publish(exchange, routingKey, Buffer.from(body), options, (error) => resolve(error === null ? 'ack' : 'nack'))
      }),
    take: async (queue) => {
      let taken: GetMessage | false = false
      await until(async () => {
        taken = await channel.get(queue)
        return taken !== false
      })
      return taken as unknown as GetMessage
    },
    [Symbol.asyncDispose]: async () => {
      // Closing the connection alone may overtake what the channel has still to send.
      await channel.close()
      await model.close()
    },
  }
}
