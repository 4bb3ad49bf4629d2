import { z } from 'zod'

/**
 * The four fields every message carries. Consumers ignore fields they do not know, so a producer that is ahead of us
 * does no harm; a version only ever gains optional fields, anything else is a new version.
 */
export const envelope = <T extends string>(type: T) => ({
  type: z.literal(type),
  version: z.literal(1),
  messageId: z.uuid(),
  at: z.iso.datetime(),
})

/** What failed, in words an administrator understands; `code` is the stable kebab-case code of the error. */
export const Problem = z.object({ code: z.string().min(1).max(100), message: z.string().max(2_000) })
export type Problem = z.infer<typeof Problem>
