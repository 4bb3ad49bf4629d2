import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask compliance-lookup to read Intune and Entra again: everything (`full`) or what changed (`delta`). */
export const ComplianceLookupRefresh = z.object({
  ...envelope('compliance-lookup.refresh'),
  kind: z.enum(['full', 'delta']),
  syncRunId: z.uuid(),
})
export type ComplianceLookupRefresh = z.infer<typeof ComplianceLookupRefresh>
