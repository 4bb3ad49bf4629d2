import type { Command, RunspacePool } from '../../../libs/powershell/src/index.ts'

export type Measured = { readonly seconds: number; readonly cpuSeconds: number }

/** Runs `count` commands, so many in hand at once, and measures the wall clock and this process's own processor time. */
export async function runCommands(
  pool: RunspacePool,
  o: { count: number; inHand: number; command: (n: number) => Command; signal: AbortSignal; onDone?: () => void },
): Promise<Measured> {
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  let next = 0
  const goOn = async () => {
    for (let n = next++; n < o.count; n = next++) {
      const { errors } = await pool.invoke(o.command(n), { signal: o.signal, timeoutMs: 120_000 })
      if (errors[0] !== undefined) throw new Error(errors[0].message)
      o.onDone?.()
    }
  }
  await Promise.all(Array.from({ length: Math.min(o.inHand, o.count) }, goOn))
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - startedAt) / 1_000, cpuSeconds: (user + system) / 1_000_000 }
}
