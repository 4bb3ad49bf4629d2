import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask enforcement to wipe a device, to cancel a wipe or to remove a partnership. `deviceId` is the partnership GUID in Exchange. */
export const EnforcementActOnDevice = z.object({
  ...envelope('enforcement.act-on-device'),
  organizationId: z.uuid(),
  deviceId: z.uuid(),
  action: z.enum(['wipe', 'cancel-wipe', 'remove']),
  requestedBy: z.string().min(1).max(256),
})
export type EnforcementActOnDevice = z.infer<typeof EnforcementActOnDevice>
