import { INBOX_LENGTH_MAX } from '@gatehouse/broker'
import type { ProblemJson } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'

/** Above this part of its length an inbox needs the rest for the work that arrives. */
const NEARLY_FULL = 0.9

/** What keeps letters from being sent on: a broker that takes nothing, or an inbox that is nearly full. */
export async function findReplayObstacle(
  queues: Iterable<string>,
  deps: Pick<DeadLetterDeps, 'broker'>,
  signal: AbortSignal,
): Promise<ProblemJson | undefined> {
  if (deps.broker.state === 'blocked')
    return { code: 'broker-blocked', message: 'RabbitMQ takes no messages: it is short of memory or disk' }
  const channel = await deps.broker.openChannel(signal)
  try {
    for (const queue of queues) {
      const { messageCount } = await channel.checkQueue(queue)
      if (messageCount >= INBOX_LENGTH_MAX * NEARLY_FULL)
        return {
          code: 'target-nearly-full',
          message: `${messageCount} messages wait in ${queue}, which takes ${INBOX_LENGTH_MAX}`,
        }
    }
    return undefined
  } finally {
    await channel.close().catch(() => {})
  }
}
