import type { Lease, LeaseBroker } from '../src/index.ts'

export type LeaseBudget = LeaseBroker & {
  /** Leases that count now: those in use, and those whose shell may still be on the server. */
  readonly counted: number
  readonly most: number
  readonly held: number
  readonly abandoned: number
  readonly refusals: number
  /** Given back or abandoned a second time, renewed or attached after the end. */
  readonly misuses: string[]
}

/** The budget of one account, for pools that stand for several processes. An abandoned lease counts for `idleMs` more. */
export function createLeaseBudget(o: { max: number; idleMs: number; now: () => number }): LeaseBudget {
  const held = new Set<string>()
  const abandonedUntil = new Map<string, number>()
  const counts = { most: 0, refusals: 0, last: 0, abandoned: 0 }
  const misuses: string[] = []
  const count = () => {
    for (const [id, until] of abandonedUntil) if (until <= o.now()) abandonedUntil.delete(id)
    return held.size + abandonedUntil.size
  }
  const use = (id: string, what: string) => {
    if (!held.has(id)) misuses.push(`${what} ${id}`)
    return Promise.resolve()
  }
  const createLease = (id: string): Lease => ({
    id,
    validMs: o.idleMs,
    renew: () => use(id, 'renew'),
    attach: () => use(id, 'attach'),
    release: async () => {
      await use(id, 'release')
      held.delete(id)
    },
    abandon: async () => {
      await use(id, 'abandon')
      held.delete(id)
      counts.abandoned++
      abandonedUntil.set(id, o.now() + o.idleMs)
    },
  })
  return {
    acquire: async () => {
      await Promise.resolve()
      if (count() >= o.max) {
        counts.refusals++
        return undefined
      }
      const id = `lease-${++counts.last}`
      held.add(id)
      counts.most = Math.max(counts.most, count())
      return createLease(id)
    },
    get counted() {
      return count()
    },
    get most() {
      return counts.most
    },
    get held() {
      return held.size
    },
    get abandoned() {
      return counts.abandoned
    },
    get refusals() {
      return counts.refusals
    },
    misuses,
  }
}
