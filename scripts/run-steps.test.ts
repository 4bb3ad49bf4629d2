import { describe, expect, it } from 'vitest'
import { runSteps } from './run-steps.ts'

describe('the steps of a check', () => {
  it('all run, whatever fails, and tell what failed', async () => {
    const told: string[] = []
    const step = (name: string, run: () => Promise<string>) => ({ name, run })

    const results = await runSteps(
      [
        step('good', () => Promise.resolve('')),
        step('bad', () => Promise.resolve('a finding')),
        step('broken', () => Promise.reject(new Error('no such program'))),
        step('last', () => Promise.resolve('')),
      ],
      { atOnce: 1, onDone: (result) => told.push(result.name) },
    )

    expect(told).toEqual(['good', 'bad', 'broken', 'last'])
    expect(results.map((result) => result.problem)).toEqual(['', 'a finding', 'Error: no such program', ''])
  })

  it('run side by side, but no more at once than told', async () => {
    let running = 0
    let most = 0
    const run = async (): Promise<string> => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      return ''
    }

    await runSteps(
      Array.from({ length: 5 }, (_, index) => ({ name: `${index}`, run })),
      { atOnce: 2, onDone: () => {} },
    )

    expect(most).toBe(2)
  })
})
