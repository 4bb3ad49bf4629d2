import { beforeEach, describe, expect, it } from 'vitest'
import { Breaker } from './breaker.ts'

let now = 0
let breaker: Breaker

beforeEach(() => {
  now = 0
  breaker = new Breaker({ now: () => now, random: () => 0 })
})

describe('the breaker of a dependency', () => {
  it('lets everything pass while the dependency answers', () => {
    expect([breaker.tryPass(), breaker.tryPass()]).toEqual([0, 0])
  })

  it('begins once, however many fail with it', () => {
    expect([breaker.failed(), breaker.failed(), breaker.failed()]).toEqual([true, false, false])
    expect(breaker.tryPass()).toBe(5_000)
  })

  it('lets one message go first when it is over, and the others wait for it', () => {
    breaker.failed()
    now = 5_000

    expect(breaker.tryPass()).toBe(0)
    expect(breaker.tryPass()).toBeGreaterThan(0)
    expect(breaker.succeeded()).toBe(true)
    expect(breaker.tryPass()).toBe(0)
  })

  it('doubles with every probe that fails, up to a minute', () => {
    breaker.failed()
    const waits: number[] = []
    for (let round = 0; round < 5; round++) {
      now += 60_000
      expect(breaker.tryPass()).toBe(0)
      breaker.failed()
      waits.push(breaker.tryPass())
    }

    expect(waits).toEqual([10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it('lets another probe go when one was cut short or got lost', () => {
    breaker.failed()
    now = 5_000
    breaker.tryPass()
    breaker.interrupted()

    expect(breaker.tryPass()).toBe(0)
    now += 180_000
    expect(breaker.tryPass()).toBe(0)
  })

  it('lasts as long as the other side asks for, within bounds', () => {
    breaker.failed(30_000)

    expect(breaker.tryPass()).toBe(30_000)

    const patient = new Breaker({ now: () => now, random: () => 0, askedMsMax: 600_000 })
    patient.failed(3_600_000)
    expect(patient.tryPass()).toBe(600_000)
  })

  it('begins when five in a row fail without a success between them', () => {
    const suspects = () => [1, 2, 3, 4].map(() => breaker.suspect())

    expect(suspects()).toEqual([false, false, false, false])
    breaker.succeeded()
    expect(suspects()).toEqual([false, false, false, false])
    expect(breaker.suspect()).toBe(true)
  })

  it('spreads those who wait', () => {
    const spread = new Breaker({ now: () => now, random: () => 1 })
    spread.failed()

    expect(spread.tryPass()).toBe(7_500)
  })

  it('says since when, until when and why, and grows when what came without asking fails after its end', () => {
    now = 1_000
    breaker.failed(0, 'Graph is throttling us')
    expect(breaker.pause).toEqual({ sinceMs: 1_000, untilMs: 6_000, reason: 'Graph is throttling us' })

    now = 6_000
    breaker.failed(0, 'Still')
    expect(breaker.pause).toEqual({ sinceMs: 1_000, untilMs: 16_000, reason: 'Still' })

    breaker.succeeded()
    expect(breaker.pause).toBeUndefined()
  })
})
