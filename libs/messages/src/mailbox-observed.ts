import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Discovery has read this mailbox and its device partnerships, and stored what it saw. */
export const MailboxObserved = z.object({
  ...envelope('mailbox.observed'),
  organizationId: z.uuid(),
  mailboxId: z.uuid(),
  syncRunId: z.uuid(),
})
export type MailboxObserved = z.infer<typeof MailboxObserved>
