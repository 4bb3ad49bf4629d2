import { DEFAULT_TEMPLATES, type Mail, noticeLocaleOf, renderNotice } from '@gatehouse/mail'
import type { MessageTemplate, Row } from '@gatehouse/store'
import { deviceLine, type NoticeDevice } from './device-line.ts'

type NoticeContent = { displayName: string; organization: string; devices: NoticeDevice[] }

/** The mail of a stored notice, by the organisation's own template or the default of the language. Its stamp is the notice's id. */
export function composeNotice(notice: Row<'notices'>, template: MessageTemplate | undefined, enrolUrl: URL): Mail {
  const locale = noticeLocaleOf(notice.locale)
  const content = notice.variables as NoticeContent
  const rendered = renderNotice(template ?? DEFAULT_TEMPLATES[locale], {
    displayName: content.displayName,
    organization: content.organization,
    devices: content.devices.map((device) => deviceLine(device, locale)),
    enrolUrl,
  })
  return { to: notice.recipient, stamp: notice.id, ...rendered }
}
