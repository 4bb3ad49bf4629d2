import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from './fifo.ts'

it('gives back what it was given, in order, also when it has grown long in between', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2_000, max: 3_000 })), (steps) => {
      const fifo = new Fifo<number>()
      const model: number[] = []
      let next = 0
      for (const step of steps) {
        for (let one = 0; one < step; one++) {
          fifo.push(next)
          model.push(next++)
        }
        for (let one = 0; one < -step; one++) expect(fifo.shift()).toBe(model.shift())
        expect(fifo.size).toBe(model.length)
      }
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
