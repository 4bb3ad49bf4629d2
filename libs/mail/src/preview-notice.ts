import type { NoticeLocale } from './default-templates.ts'
import {
  type NoticeTemplate,
  type NoticeVariables,
  placeholdersOf,
  type RenderedNotice,
  renderNotice,
} from './render-notice.ts'

/** The variables a notice has, with values as they may look. */
const SAMPLE_VARIABLES: Readonly<Record<NoticeLocale, NoticeVariables>> = {
  en: {
    displayName: 'Alex Wilber',
    organization: 'Contoso',
    devices: [
      'iPhone 15 (iOS 18.1): it is not enrolled in Intune',
      'Galaxy S24 (Android 15): it does not comply with the rules',
    ],
    enrolUrl: new URL('https://portal.manage.microsoft.com'),
  },
  fr: {
    displayName: 'Alex Wilber',
    organization: 'Contoso',
    devices: ['iPhone 15 (iOS 18.1) : non inscrit dans Intune', 'Galaxy S24 (Android 15) : non conforme aux règles'],
    enrolUrl: new URL('https://portal.manage.microsoft.com'),
  },
}

/** A template with sample values, and the names in it that no notice has: they would render as nothing. */
export function previewNotice(template: NoticeTemplate, locale: NoticeLocale): RenderedNotice & { unknownVariables: string[] } {
  const variables = SAMPLE_VARIABLES[locale]
  const unknownVariables = placeholdersOf(template).filter((name) => !Object.hasOwn(variables, name))
  return { ...renderNotice(template, variables), unknownVariables }
}
