import { describe, expect, it } from 'vitest'
import { batchCalls } from './batch-calls.ts'

const double = (items: readonly number[]) => Promise.resolve(items.map((item) => item * 2))

describe('calls in batches', () => {
  it('answers each call with its own answer', async () => {
    const call = batchCalls({ run: double, keyOf: String, batchMax: 10, concurrency: 1 })

    expect(await Promise.all([1, 2, 3].map(call))).toEqual([2, 4, 6])
  })

  it('sends what piled up together, and no more than fits', async () => {
    const sizes: number[] = []
    const run = (items: readonly number[]) => {
      sizes.push(items.length)
      return double(items)
    }
    const call = batchCalls({ run, keyOf: String, batchMax: 4, concurrency: 1 })

    await Promise.all([1, 2, 3, 4, 5].map(call))

    expect(sizes).toEqual([4, 1])
  })

  it('never puts two calls of one key into a batch, and keeps their order', async () => {
    const batches: number[][] = []
    const run = (items: readonly number[]) => {
      batches.push([...items])
      return double(items)
    }
    const call = batchCalls({ run, keyOf: (item) => String(item % 10), batchMax: 10, concurrency: 1 })

    await Promise.all([1, 11, 2].map(call))

    expect(batches).toEqual([[1, 2], [11]])
  })

  it('fails only the call that is to blame', async () => {
    const run = (items: readonly number[]) => (items.includes(2) ? Promise.reject(new Error('two')) : double(items))
    const call = batchCalls({ run, keyOf: String, batchMax: 10, concurrency: 1 })

    const settled = await Promise.allSettled([1, 2, 3].map(call))

    expect(settled.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })
})
