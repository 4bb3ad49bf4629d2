import { z } from 'zod'
import { envelope } from './envelope.ts'

/** A change that takes access away was announced, written or given up: read `access_changes` for its state. */
export const AccessChanged = z.object({
  ...envelope('access.changed'),
  organizationId: z.uuid(),
  mailboxId: z.uuid(),
  changeId: z.uuid(),
})
export type AccessChanged = z.infer<typeof AccessChanged>
