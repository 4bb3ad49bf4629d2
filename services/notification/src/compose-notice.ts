import { DEFAULT_TEMPLATES, type Mail, type NoticeTemplate, noticeLocaleOf, renderNotice } from '@gatehouse/mail'
import type { NoticeToSend } from '@gatehouse/store'
import { deviceLine, type NoticeDevice } from './device-line.ts'

type NoticeContent = { displayName: string; organization: string; devices: NoticeDevice[] }

/** The mail of a stored notice, by the organisation's own template or the default of the language. Its stamp is the notice's id. */
export function composeNotice(notice: NoticeToSend, enrolUrl: URL): Mail {
  const locale = noticeLocaleOf(notice.locale)
  const content = notice.variables as NoticeContent
  const rendered = renderNotice(templateOf(notice) ?? DEFAULT_TEMPLATES[locale], {
    displayName: content.displayName,
    organization: content.organization,
    devices: content.devices.map((device) => deviceLine(device, locale)),
    enrolUrl,
  })
  return { to: notice.recipient, stamp: notice.id, ...rendered }
}

function templateOf({ template_subject: subject, template_body: body }: NoticeToSend): NoticeTemplate | undefined {
  return subject === null || body === null ? undefined : { subject, body }
}
