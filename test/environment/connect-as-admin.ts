import type { System } from '@gatehouse/cli/system'
import { type ChannelModel, connect } from 'amqplib'

/** A connection to the broker of a system with every right, past Gatehouse's own client. */
export async function connectAsAdmin(
  { parts }: Pick<System, 'parts'>,
  socketOptions?: { noDelay: boolean },
): Promise<ChannelModel> {
  const { broker } = parts
  if (broker === undefined) throw new TypeError('The system has no broker of its own')
  const url = new URL(broker.amqpUrl)
  url.username = encodeURIComponent(broker.user)
  url.password = encodeURIComponent(broker.password)
  return await connect(url.href, socketOptions)
}
