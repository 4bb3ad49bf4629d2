import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseFaultPlan } from './fault-plan.ts'

it('names every problem of a plan at once', () => {
  const plan = { seed: 1.5, cmdlets: { names: [1] }, http: { resetPercent: 101 }, weather: {}, ews: { busy: 1 } }

  expect(() => parseFaultPlan(plan)).toThrow(
    /seed: 1\.5 .*cmdlets\.transientPercent: is missing.*cmdlets\.names.*http\.resetPercent: 101.*weather: unknown section.*ews\.busy: unknown/,
  )
})

it('accepts the plan that is shipped', () => {
  const text = readFileSync(new URL('../../../faults/plans/rough-day.json', import.meta.url), 'utf8')

  expect(parseFaultPlan(JSON.parse(text)).cmdlets?.transientPercent).toBe(1)
})
