import type { PermanentError } from '@gatehouse/messages'
import type { PowerShellEngine, RunspacePool } from '../engine.ts'

type OpenablePool = RunspacePool & { open(signal: AbortSignal): Promise<void> }

export type PoolEngineOptions = {
  /** No pool opens more, whatever `open` asks for. */
  readonly runspacesMax: number
  readonly createPool: (runspaces: number) => OpenablePool
  /** The error for settings that cannot be used. */
  readonly refuse: (why: string) => PermanentError
}

/** An engine over a kind of pools: opens them within its limit, and closes with itself all that it opened. */
export function createPoolEngine({ runspacesMax, createPool, refuse }: PoolEngineOptions): PowerShellEngine {
  const pools = new Set<RunspacePool>()
  return {
    async open({ runspaces, signal }): Promise<RunspacePool> {
      if (!Number.isInteger(runspaces) || runspaces < 1) throw refuse('runspaces must be at least 1')
      const pool = createPool(Math.min(runspaces, runspacesMax))
      // Before it is open: disposing the engine meanwhile must not leave a shell or a process behind.
      pools.add(pool)
      try {
        await pool.open(signal)
      } catch (error) {
        pools.delete(pool)
        throw error
      }
      return pool
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([...pools].map((pool) => pool[Symbol.asyncDispose]()))
      pools.clear()
    },
  }
}
