import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from './fifo.ts'

it('gives back what it was given, in order, also when it has grown long in between', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2_000, max: 3_000 })), (steps) => {
      const fifo = new Fifo<number>()
      const taken: (number | undefined)[] = []
      let given = 0
      for (const step of steps) {
        for (let one = 0; one < step; one++) fifo.push(given++)
        for (let one = 0; one < -step && fifo.size > 0; one++) taken.push(fifo.shift())
      }

      expect(taken).toEqual(Array.from({ length: taken.length }, (_, index) => index))
      expect(fifo.size).toBe(given - taken.length)
    }),
    { numRuns: 30 },
  )
})

it('puts what is to go again before all others', () => {
  const fifo = new Fifo<string>()
  fifo.push('c')
  fifo.prepend(['a', 'b'])

  expect([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()]).toEqual(['a', 'b', 'c', undefined])
})

it('gives back what does not stay', () => {
  const fifo = new Fifo<number>()
  for (const one of [1, 2, 3, 4]) fifo.push(one)

  expect(fifo.keep((one) => one % 2 === 0)).toEqual([1, 3])
  expect(fifo.size).toBe(2)
})
