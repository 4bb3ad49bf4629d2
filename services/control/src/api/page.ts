import { z } from 'zod'

const TOP_MAX = 1_000

/** The part of a list a client asks for; names as in OData and Graph. */
export const Page = z.object({
  top: z.coerce.number().int().min(1).max(TOP_MAX).default(100),
  skip: z.coerce.number().int().min(0).max(10_000_000).default(0),
})

export const Id = z.object({ id: z.guid().transform((id) => id.toLowerCase()) })
