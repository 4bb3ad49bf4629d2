import { z } from 'zod'
import { envelope } from './envelope.ts'

/** An administrator has changed the access policy; every mailbox is to be decided again. */
export const PolicyChanged = z.object({
  ...envelope('policy.changed'),
  policyVersion: z.int().positive(),
})
export type PolicyChanged = z.infer<typeof PolicyChanged>
