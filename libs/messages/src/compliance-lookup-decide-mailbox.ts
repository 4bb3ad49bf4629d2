import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask for one mailbox to be decided again from what is stored about it. */
export const ComplianceLookupDecideMailbox = z.object({
  ...envelope('compliance-lookup.decide-mailbox'),
  organizationId: z.uuid(),
  mailboxId: z.uuid(),
  syncRunId: z.uuid().optional(),
})
export type ComplianceLookupDecideMailbox = z.infer<typeof ComplianceLookupDecideMailbox>
