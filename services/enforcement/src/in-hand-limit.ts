/**
 * How many messages of an organisation this process may hold. Copies of the worker share the account's shells as they come: one
 * that got few of them must leave the messages to the others, which can carry them out sooner. And when many organisations have
 * work, none may have more than its share of the slots: those of a few large ones would be all there are.
 */
export function inHandLimit(
  o: { inHandMax: number; runspaces: number },
  now: { shellsAllowed: number | undefined; slotsShare: number },
): number {
  const { shellsAllowed = o.runspaces, slotsShare } = now
  const byShells = shellsAllowed >= o.runspaces ? o.inHandMax : Math.ceil((o.inHandMax * shellsAllowed) / o.runspaces)
  return Math.max(1, Math.min(byShells, slotsShare))
}
