import { expect, it } from 'vitest'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { findReplayObstacle } from './find-replay-obstacle.ts'

const { signal } = new AbortController()

/** A broker in whose queues so many messages wait. */
function brokerWith(state: string, depths: Record<string, number>): Pick<DeadLetterDeps, 'broker'> {
  const channel = { checkQueue: async (queue: string) => ({ messageCount: depths[queue] ?? 0 }), close: async () => {} }
  return { broker: { state, openChannel: async () => channel } as unknown as DeadLetterDeps['broker'] }
}

it('lets a replay go on while its inboxes have room', async () => {
  expect(await findReplayObstacle(['a', 'b'], brokerWith('ready', { a: 44_999 }), signal)).toBeUndefined()
})

it('stops it before an inbox is full', async () => {
  expect(await findReplayObstacle(['a', 'b'], brokerWith('ready', { b: 45_000 }), signal)).toEqual({
    code: 'target-nearly-full',
    message: '45000 messages wait in b, which takes 50000',
  })
})

it('stops it while the broker takes nothing', async () => {
  expect(await findReplayObstacle([], brokerWith('blocked', {}), signal)).toMatchObject({ code: 'broker-blocked' })
})
