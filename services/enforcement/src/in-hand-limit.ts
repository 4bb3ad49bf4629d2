/**
 * How many messages of an organisation this process may hold. Copies of the worker share the account's shells as they come: one
 * that got few of them must leave the messages to the others, which can carry them out sooner.
 */
export function inHandLimit(o: { inHandMax: number; runspaces: number }, shellsAllowed: number | undefined): number {
  if (shellsAllowed === undefined || shellsAllowed >= o.runspaces) return o.inHandMax
  return Math.max(1, Math.ceil((o.inHandMax * shellsAllowed) / o.runspaces))
}
