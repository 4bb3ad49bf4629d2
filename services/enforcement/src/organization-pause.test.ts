import { beforeEach, describe, expect, it } from 'vitest'
import { OrganizationPause } from './organization-pause.ts'

let now = 0
let pause: OrganizationPause

beforeEach(() => {
  now = 0
  pause = new OrganizationPause({ now: () => now, random: () => 0 })
})

describe('the pause of an organisation', () => {
  it('lets everything pass while Exchange answers', () => {
    expect([pause.tryPass(), pause.tryPass()]).toEqual([0, 0])
  })

  it('begins once, however many fail with it', () => {
    expect([pause.failed(), pause.failed(), pause.failed()]).toEqual([true, false, false])
    expect(pause.tryPass()).toBe(5_000)
  })

  it('lets one message go first when it is over, and the others wait for it', () => {
    pause.failed()
    now = 5_000

    expect(pause.tryPass()).toBe(0)
    expect(pause.tryPass()).toBeGreaterThan(0)
    expect(pause.succeeded()).toBe(true)
    expect(pause.tryPass()).toBe(0)
  })

  it('doubles with every probe that fails, up to a minute', () => {
    pause.failed()
    const waits: number[] = []
    for (let round = 0; round < 5; round++) {
      now += 60_000
      expect(pause.tryPass()).toBe(0)
      pause.failed()
      waits.push(pause.tryPass())
    }

    expect(waits).toEqual([10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it('lets another probe go when one was cut short or got lost', () => {
    pause.failed()
    now = 5_000
    pause.tryPass()
    pause.interrupted()

    expect(pause.tryPass()).toBe(0)
    now += 180_000
    expect(pause.tryPass()).toBe(0)
  })

  it('lasts as long as Exchange asks for', () => {
    pause.failed(30_000)

    expect(pause.tryPass()).toBe(30_000)
  })

  it('begins when five in a row fail without a success between them', () => {
    const suspects = () => [1, 2, 3, 4].map(() => pause.suspect())

    expect(suspects()).toEqual([false, false, false, false])
    pause.succeeded()
    expect(suspects()).toEqual([false, false, false, false])
    expect(pause.suspect()).toBe(true)
  })

  it('spreads those who wait', () => {
    const spread = new OrganizationPause({ now: () => now, random: () => 1 })
    spread.failed()

    expect(spread.tryPass()).toBe(7_500)
  })
})
