import { z } from 'zod'
import { envelope } from './envelope.ts'

/** Ask notification to send one notice that is stored. */
export const NotificationSendNotice = z.object({
  ...envelope('notification.send-notice'),
  noticeId: z.uuid(),
})
export type NotificationSendNotice = z.infer<typeof NotificationSendNotice>
