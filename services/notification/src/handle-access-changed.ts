import { randomUUID } from 'node:crypto'
import type { MessageContext } from '@gatehouse/broker'
import { noticeLocaleOf } from '@gatehouse/mail'
import { type AccessChanged, done, type Outcome, PermanentError } from '@gatehouse/messages'
import {
  blockNoticeKey,
  insertNotice,
  type NewNotice,
  type NoticeFacts,
  readNoticeFacts,
  suppressNotices,
} from '@gatehouse/store'
import type { NotificationDeps } from './notification-deps.ts'
import { isSettled, sendNotice } from './send-notice.ts'

/**
 * A block was announced: its notice is stored once (its key is unique) and sent right away. Safe to run twice: the second run
 * finds the notice and what became of it. The state of the change may be further by now (it is when this message has waited),
 * so what counts is that the block was announced and has not been given up.
 */
export async function handleAccessChanged(
  message: AccessChanged,
  deps: NotificationDeps,
  context: Pick<MessageContext, 'lane'>,
  signal: AbortSignal,
): Promise<Outcome> {
  const facts = await readNoticeFacts(deps.pool, message.changeId)
  if (facts?.change.announced_at === null) return done
  if (facts === undefined || facts.organization === null || facts.mailbox === null)
    throw new PermanentError('change-unknown', 'The change, its mailbox or its organisation is not stored')
  const { change, organization, mailbox, devices } = facts
  if (GIVEN_UP.has(change.state)) {
    await suppressNotices(deps.pool, { changeId: change.id })
    return done
  }
  const notice = facts.notice ?? (await insertNotice(deps.pool, newNotice({ change, organization, mailbox, devices }, deps)))
  if (isSettled(notice.state)) return done
  return await sendNotice({ id: notice.id, organizationId: organization.id }, deps, context.lane, signal)
}

const GIVEN_UP: ReadonlySet<string> = new Set(['superseded', 'reported', 'failed'])

type NewNoticeFacts = Pick<NoticeFacts, 'change' | 'devices'> & {
  organization: NonNullable<NoticeFacts['organization']>
  mailbox: NonNullable<NoticeFacts['mailbox']>
}

function newNotice({ change, organization, mailbox, devices }: NewNoticeFacts, deps: NotificationDeps): NewNotice {
  const isMailed = deps.outboxes.has(organization.id) && !organization.report_only && mailbox.primarySmtpAddress !== ''
  return {
    id: randomUUID(),
    key: blockNoticeKey(change.id),
    organization_id: organization.id,
    mailbox_id: change.mailbox_id,
    change_id: change.id,
    recipient: mailbox.primarySmtpAddress,
    locale: noticeLocaleOf(mailbox.preferredLanguage),
    template: 'block',
    variables: { displayName: mailbox.displayName, organization: organization.name, devices },
    state: isMailed ? 'pending' : 'suppressed',
    created_at: deps.now(),
  }
}
