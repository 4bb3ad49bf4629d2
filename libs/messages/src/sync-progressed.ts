import { z } from 'zod'
import { envelope, Problem } from './envelope.ts'

/** A worker has come further with a sync run, or had to give up. Counts are hints for people; control counts in the store. */
export const SyncProgressed = z.object({
  ...envelope('sync.progressed'),
  syncRunId: z.uuid(),
  stage: z.enum(['discovering', 'discovered', 'looking-up', 'looked-up', 'deciding', 'enforcing', 'notifying', 'failed']),
  counts: z.record(z.string().max(64), z.int().nonnegative()),
  organizationId: z.uuid().optional(),
  problem: Problem.optional(),
})
export type SyncProgressed = z.infer<typeof SyncProgressed>
