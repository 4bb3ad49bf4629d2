import type { MessageContext } from '@gatehouse/broker'
import type { NotificationSendNotice, Outcome } from '@gatehouse/messages'
import type { NotificationDeps } from './notification-deps.ts'
import { sendNotice } from './send-notice.ts'

/** Sends one stored notice, unless it was sent, has failed or is not to be sent. */
export async function handleSendNotice(
  message: NotificationSendNotice,
  deps: NotificationDeps,
  context: Pick<MessageContext, 'lane'>,
  signal: AbortSignal,
): Promise<Outcome> {
  return await sendNotice(message.noticeId, deps, context.lane, signal)
}
