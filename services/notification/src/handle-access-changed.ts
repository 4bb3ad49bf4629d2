import { randomUUID } from 'node:crypto'
import type { MessageContext } from '@gatehouse/broker'
import { noticeLocaleOf } from '@gatehouse/mail'
import { type AccessChanged, done, type Outcome, PermanentError } from '@gatehouse/messages'
import { insertNotice, type NoticeFacts, readChangeProgress, readNoticeFacts, suppressNotices } from '@gatehouse/store'
import type { NotificationDeps } from './notification-deps.ts'
import { sendNotice } from './send-notice.ts'

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
  const progress = await readChangeProgress(deps.db, message.changeId)
  if (progress?.announced_at === null) return done
  const facts = progress && (await readNoticeFacts(deps.db, message.changeId))
  if (facts === undefined)
    throw new PermanentError('change-unknown', 'The change, its mailbox or its organisation is not stored')
  if (GIVEN_UP.has(facts.change.state)) {
    await suppressNotices(deps.db, { change_id: facts.change.id })
    return done
  }
  const notice = await insertNotice(deps.db, newNotice(facts, deps))
  return await sendNotice(notice.id, deps, context.lane, signal)
}

const GIVEN_UP: ReadonlySet<string> = new Set(['superseded', 'reported', 'failed'])

function newNotice(facts: NoticeFacts, deps: NotificationDeps): Parameters<typeof insertNotice>[1] {
  const { change, organization, mailbox } = facts
  const isMailed = deps.outboxes.has(organization.id) && !organization.report_only && mailbox.primarySmtpAddress !== ''
  return {
    id: randomUUID(),
    key: `block:${change.id}`,
    organization_id: organization.id,
    mailbox_id: change.mailbox_id,
    change_id: change.id,
    recipient: mailbox.primarySmtpAddress,
    locale: noticeLocaleOf(mailbox.preferredLanguage),
    template: 'block',
    variables: JSON.stringify({
      displayName: mailbox.displayName,
      organization: organization.name,
      devices: facts.devices,
    }),
    state: isMailed ? 'pending' : 'suppressed',
    attempts: 0,
    created_at: deps.now(),
  }
}
