import { z } from 'zod'
import { envelope } from './envelope.ts'

/** The devices of this mailbox are decided; `decisionVersion` grows with every decision of any mailbox. */
export const MailboxDecided = z.object({
  ...envelope('mailbox.decided'),
  organizationId: z.uuid(),
  mailboxId: z.uuid(),
  decisionVersion: z.int().positive(),
  syncRunId: z.uuid(),
})
export type MailboxDecided = z.infer<typeof MailboxDecided>
