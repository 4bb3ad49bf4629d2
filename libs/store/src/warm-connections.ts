import type { Store } from './create-database.ts'

/**
 * Opens every connection that the pool may have and does something harmless on each: what a worker asks for with every message,
 * but for nothing at all. PostgreSQL loads its catalogue and plans named statements once per connection, which takes tens of
 * milliseconds each, and would else happen on all of them at once when the first thousand messages are there.
 */
export async function warmConnections(
  pool: Store['pool'],
  ask: (connection: Pick<Store['pool'], 'query'>) => Promise<unknown>,
): Promise<void> {
  const clients = await Promise.allSettled(Array.from({ length: pool.options.max }, () => pool.connect()))
  const open = clients.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const asked = await Promise.allSettled(open.map((client) => ask(client)))
  for (const [index, client] of open.entries()) client.release(asked[index]?.status === 'rejected')
  const failed = [...clients, ...asked].find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
