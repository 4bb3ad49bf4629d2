import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { loadSettings } from '@gatehouse/worker'
import { attachSystem } from '../system/attach-system.ts'
import { formatSummary } from '../system/format-summary.ts'
import type { Terminal } from '../terminal.ts'
import { isRight, syncTwice } from './run-demo.ts'

export type AttachedDemoOptions = {
  readonly config: string
  readonly latencyMs: number
  readonly seed: number
  readonly runspaces: number
  readonly doneFile: string | undefined
  readonly exit: boolean
  readonly json: boolean
}

/**
 * The two syncs and the summary of a demo for a system that runs already, in containers say. When everything is right it makes
 * `doneFile` and stays, so that whoever watches the process sees a demo that is well; when not, it ends with 1.
 */
export async function runAttachedDemo(
  options: AttachedDemoOptions,
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const { terminal, signal } = context
  const settings = loadSettings({ path: options.config, env: context.env })
  await using system = await attachSystem(settings, signal)
  const summary = await syncTwice(system, options, context)
  if (options.json) terminal.print(JSON.stringify(summary))
  else terminal.print(formatSummary(summary))
  if (!isRight(summary)) return 1
  if (options.doneFile !== undefined) await writeFile(options.doneFile, '')
  if (!options.exit && !signal.aborted) await once(signal, 'abort')
  return 0
}
