import { describe, expect, it } from 'vitest'
import { workerEnvironment } from './start-worker-process.ts'

describe('the environment of a worker', () => {
  it('keeps the process small and passes on what was given', () => {
    expect(workerEnvironment({ PATH: '/bin' })).toEqual({
      PATH: '/bin',
      NODE_OPTIONS: '--max-semi-space-size=2',
      MALLOC_ARENA_MAX: '2',
      MALLOC_TRIM_THRESHOLD_: '131072',
    })
  })

  it('lets what whoever starts it has chosen count more', () => {
    const { NODE_OPTIONS, MALLOC_ARENA_MAX } = workerEnvironment({
      NODE_OPTIONS: '--max-semi-space-size=8 --trace-warnings',
      MALLOC_ARENA_MAX: '4',
    })

    // Of two that V8 is given, the last counts.
    expect(NODE_OPTIONS).toBe('--max-semi-space-size=2 --max-semi-space-size=8 --trace-warnings')
    expect(MALLOC_ARENA_MAX).toBe('4')
  })
})
