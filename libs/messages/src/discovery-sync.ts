import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask discovery to read the mobile devices of one Exchange organisation and to publish the mailboxes to decide. */
export const DiscoverySync = z.object({
  ...envelope('discovery.sync'),
  organizationId: z.uuid(),
  syncType: z.enum(['fullSync', 'deltaSync']),
  syncRunId: z.uuid(),
})
export type DiscoverySync = z.infer<typeof DiscoverySync>
