import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask enforcement to bring the organisation-wide settings of Exchange (default access level, device access rules) to the policy. */
export const EnforcementReconcileOrganization = z.object({
  ...envelope('enforcement.reconcile-organization'),
  organizationId: z.uuid(),
})
export type EnforcementReconcileOrganization = z.infer<typeof EnforcementReconcileOrganization>
