import { RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { createDeltaRounds } from './delta-round.ts'

const delta = { azureADDeviceIds: ['a'], deltaLink: 'next' }
const throttle = async () => {
  throw new RetryableError('graph-throttled', 'x')
}

it('answers the same link from memory only after what followed was interrupted', async () => {
  const rounds = createDeltaRounds()
  rounds.begin('link', performance.now(), delta)
  expect(rounds.resume('other')).toBeUndefined()
  rounds.begin('link', performance.now(), delta)
  await expect(rounds.read(throttle, false)).rejects.toThrow()

  expect(rounds.resume('link')).toBe(delta)
  expect(rounds.resume('link')).toBeUndefined()
})

it('keeps what was answered until the last read of the round is done', async () => {
  const rounds = createDeltaRounds()
  rounds.begin('link', performance.now(), delta)
  await rounds.read(async (kept) => kept.usersOfDevice.set('a', ['u']), false)
  await expect(rounds.read(throttle, true)).rejects.toThrow()

  expect(await rounds.read(async (kept) => kept.usersOfDevice.size, true)).toBe(1)
  expect(await rounds.read(async (kept) => kept.usersOfDevice.size, true)).toBe(0)
})

it('forgets a round after half an hour', async () => {
  let now = 0
  const rounds = createDeltaRounds(() => now)
  rounds.begin('link', 0, delta)
  await expect(rounds.read(throttle, false)).rejects.toThrow()

  now = 31 * 60_000

  expect(rounds.resume('link')).toBeUndefined()
})
