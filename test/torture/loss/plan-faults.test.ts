import { describe, expect, it } from 'vitest'
import { FAULT_KINDS, PROCESSES, planFaults } from './plan-faults.ts'

describe('the plan of faults', () => {
  it('is the same for the same seed and another for another', () => {
    const wanted = { seed: 7, faults: 30, longestMs: 60_000 }

    expect(planFaults(wanted)).toEqual(planFaults(wanted))
    expect(planFaults({ ...wanted, seed: 8 })).not.toEqual(planFaults(wanted))
  })

  it('has every kind of fault, kills every process, and goes on while there is still something to lose', () => {
    const plan = planFaults({ seed: 7, faults: 10 * FAULT_KINDS.length, longestMs: 60_000 })

    expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
    const killed = plan.filter(({ kind }) => kind === 'worker-killed').map(({ victim }) => victim)
    expect(new Set(killed)).toEqual(new Set(PROCESSES))
    expect(plan.map(({ at }) => at)).toEqual(plan.map(({ at }) => at).toSorted((a, b) => a - b))
    expect(plan.every(({ at }) => at > 0 && at <= 0.9)).toBe(true)
  })

  it('leaves nothing half-open, and nobody frozen, for longer than the run may take', () => {
    for (let seed = 0; seed < 50; seed++) {
      const lasting = planFaults({ seed, faults: 20, longestMs: 15_000 }).filter(({ kind }) =>
        /half-open|frozen|away/.test(kind),
      )
      expect(lasting.every(({ forMs }) => forMs !== undefined && forMs >= 1_000 && forMs <= 15_000)).toBe(true)
    }
  })
})
