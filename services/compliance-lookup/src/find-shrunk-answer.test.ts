import { expect, it } from 'vitest'
import { findShrunkAnswer } from './find-shrunk-answer.ts'

it('names an answer that lists far fewer than the last one', () => {
  expect(findShrunkAnswer({ managedDevices: 5_000 }, { managedDevices: 2_499 }, 50)).toMatch(/2499 managedDevices.*5000/)
})

it('takes an empty answer for a fault whatever the limit', () => {
  expect(findShrunkAnswer({ users: 40 }, { users: 0 }, 100)).toBeDefined()
})

it('believes a small loss, growth, and everything where there were only a few', () => {
  expect(findShrunkAnswer({ managedDevices: 5_000 }, { managedDevices: 2_500 }, 50)).toBeUndefined()
  expect(findShrunkAnswer({ managedDevices: 50 }, { managedDevices: 500 }, 50)).toBeUndefined()
  expect(findShrunkAnswer({ managedDevices: 19 }, { managedDevices: 1 }, 50)).toBeUndefined()
})

it('never believes that nothing is managed, not even the first time', () => {
  expect(findShrunkAnswer({}, { managedDevices: 0 }, 100)).toMatch(/no managed device/)
})
