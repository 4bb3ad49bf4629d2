import type { MessageContext } from '@gatehouse/broker'
import { done, type NotificationSendNotice, type Outcome, PermanentError } from '@gatehouse/messages'
import { readNotice } from '@gatehouse/store'
import type { NotificationDeps } from './notification-deps.ts'
import { isSettled, sendNotice } from './send-notice.ts'

/** Sends one stored notice, unless it was sent, has failed or is not to be sent. */
export async function handleSendNotice(
  message: NotificationSendNotice,
  deps: NotificationDeps,
  context: Pick<MessageContext, 'lane'>,
  signal: AbortSignal,
): Promise<Outcome> {
  const notice = await readNotice(deps.pool, message.noticeId)
  if (notice === undefined) throw new PermanentError('notice-unknown', 'The notice is not stored')
  if (isSettled(notice.state)) return done
  return await sendNotice({ id: notice.id, organizationId: notice.organization_id }, deps, context.lane, signal)
}
