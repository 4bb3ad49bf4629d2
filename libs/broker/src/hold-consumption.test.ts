import { beforeEach, describe, expect, it } from 'vitest'
import { Breaker } from './breaker.ts'
import { createJointDependency, readHold } from './dependency.ts'
import { holdConsumption } from './hold-consumption.ts'

let now = 0
let breaker: Breaker
let story: string[]

beforeEach(() => {
  now = 0
  breaker = new Breaker({ now: () => now, random: () => 0 })
  story = []
})

/** `probes`: what each message that goes first does; when they are used up there is none. */
const hold = async (probes: (() => void)[], signal = new AbortController().signal): Promise<void> => {
  const dependencies = [createJointDependency('Graph', [() => breaker.pause])]
  await holdConsumption(
    {
      read: () => readHold(dependencies, () => now),
      nowMs: () => now,
      sleep: (ms) => {
        now += ms
        return Promise.resolve()
      },
      cancel: () => Promise.resolve(void story.push('cancel')),
      probe: () => {
        const probe = probes.shift()
        story.push(probe === undefined ? `none at ${now}` : `probe at ${now}`)
        probe?.()
        return Promise.resolve(probe !== undefined)
      },
      resume: () => story.push(`resume at ${now}`),
    },
    signal,
  )
}

describe('a held consumption', () => {
  it('lets one go first after the pause, and all when that one succeeds', async () => {
    breaker.failed()
    await hold([() => breaker.succeeded()])

    expect(story).toEqual(['cancel', 'probe at 5000', 'resume at 5000'])
  })

  it('waits longer after every one that fails, and never spins', async () => {
    breaker.failed()
    await hold([() => breaker.failed(), () => breaker.failed(), () => breaker.succeeded()])

    expect(story).toEqual(['cancel', 'probe at 5000', 'probe at 15000', 'probe at 35000', 'resume at 35000'])
  })

  it('lets the next one go when the first told nothing, not at once', async () => {
    breaker.failed()
    await hold([() => {}, () => {}, () => breaker.succeeded()])

    expect(story).toEqual(['cancel', 'probe at 5000', 'probe at 5250', 'probe at 5500', 'resume at 5500'])
  })

  it('takes its subscriptions again when there is none to go first', async () => {
    breaker.failed()
    await hold([])

    expect(story).toEqual(['cancel', 'none at 5000', 'resume at 5000'])
  })

  it('ends early when what was in hand finds that all is well', async () => {
    breaker.failed(60_000)
    setImmediate(() => {})
    const holding = hold([])
    breaker.succeeded()
    await holding

    expect(story[1]).toMatch(/^resume/)
  })

  it('takes nothing any more when the consumer stops', async () => {
    breaker.failed()
    await hold([], AbortSignal.abort())

    expect(story).toEqual(['cancel'])
  })
})
