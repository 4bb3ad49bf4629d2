import { RetryableError } from '@gatehouse/messages'
import { expect } from 'vitest'
import type { InvokeOptions, RunspacePool } from '../src/index.ts'
import type { ServerPool } from '../src/protocol/index.ts'
import { options, start, stopped, untilStopped } from './open-pool.ts'
import type { Script, ScriptedServer } from './scripted-wsman-server.ts'

export type Call = Parameters<Script>[0]

export type QueueingServer = {
  readonly server: ScriptedServer
  /** How often each command has run, by its name, in the order of their first run. */
  readonly ran: Map<string, number>
  /** Deletes the shell that a command runs in, as a server that has lost it. */
  lose(call: Call): void
}

/**
 * A server whose shells run one cmdlet at a time, as Exchange's do. `act` is what a cmdlet does: nothing more is sent when it
 * answers false, and its pipeline completes when it answers anything else.
 */
export async function startQueueing(act: (call: Call) => unknown, o: { receiveHoldMs?: number } = {}): Promise<QueueingServer> {
  const ran = new Map<string, number>()
  const last = new WeakMap<ServerPool, Promise<void>>()
  const run = async (call: Call) => {
    const { command, pipelineId, pool, stop } = call
    if (!stop.aborted) {
      ran.set(command.name, (ran.get(command.name) ?? 0) + 1)
      if ((await act(call)) === false) return
    }
    pool.state(pipelineId, stop.aborted ? 'stopped' : 'completed', stop.aborted ? stopped : undefined)
  }
  const server = await start((call) => {
    const mine = (last.get(call.pool) ?? Promise.resolve()).then(() => run(call))
    last.set(call.pool, mine)
    return mine
  }, o)
  const lose = ({ pool }: Call) => {
    for (const [id, shell] of server.shells) if (shell.pool === pool) server.shells.delete(id)
  }
  return { server, ran, lose }
}

export const lasting = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs until it is stopped, and stops when it is told to. */
export async function hangUntilStopped({ stop }: Call): Promise<void> {
  await untilStopped(stop)
}

export const namesOf = (count: number, from = 1) => Array.from({ length: count }, (_, n) => `Set-${from + n}`)

export type Outcome = { name: string; error?: unknown }

export async function invokeAll(pool: RunspacePool, names: readonly string[], o: InvokeOptions = options): Promise<Outcome[]> {
  return await Promise.all(names.map((name) => invokeOne(pool, name, o)))
}

export async function invokeOne(pool: RunspacePool, name: string, o: InvokeOptions = options): Promise<Outcome> {
  try {
    const result = await pool.invoke({ name, parameters: {} }, o)
    return result.failed ? { name, error: new Error('It failed') } : { name }
  } catch (error) {
    return { name, error }
  }
}

export const failuresOf = (outcomes: readonly Outcome[]) => outcomes.filter(({ error }) => error !== undefined)

/** Everything was answered; what has a result ran once, what surely did not run never did, and nothing ran twice. */
export function expectTruth(outcomes: readonly Outcome[], ran: ReadonlyMap<string, number>): void {
  const lies: unknown[] = []
  for (const { name, error } of outcomes) {
    const times = ran.get(name) ?? 0
    const isCertain = error instanceof RetryableError && error.detail['mayHaveRun'] === false
    if (times > 1 || (error === undefined && times !== 1) || (isCertain && times !== 0)) lies.push({ name, times, error })
    if (error !== undefined && !(error instanceof RetryableError)) lies.push({ name, error })
  }
  expect(lies).toEqual([])
}
