import { loadSettings } from '@gatehouse/worker'
import { applyTopologyOf } from '../system/apply-topology-of.ts'
import type { Terminal } from '../terminal.ts'

/** Declares exchanges, queues, bindings, policies and one least-privilege user per worker at the broker that the settings name. */
export async function runTopologyApply(
  options: { config: string; json: boolean },
  context: { env: Record<string, string | undefined>; terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  const applied = await applyTopologyOf(loadSettings({ path: options.config, env: context.env }), context.signal)
  const users = applied.users.join(', ') || 'none, since the settings name no usersPasswordDirectory'
  if (options.json) context.terminal.print(JSON.stringify(applied))
  else context.terminal.print(`Topology applied to virtual host ${applied.vhost}; users: ${users}`)
  return 0
}
