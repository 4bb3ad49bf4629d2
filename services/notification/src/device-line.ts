import type { NoticeLocale } from '@gatehouse/mail'

/** A device as a notice remembers it. All but the reason came from a phone. */
export type NoticeDevice = {
  readonly deviceId: string
  readonly deviceType: string
  readonly deviceModel: string
  readonly deviceOs: string
  readonly friendlyName: string
  readonly reason: string
}

/** One line for people: what the device is, and why it will be blocked. */
export function deviceLine(device: NoticeDevice, locale: NoticeLocale): string {
  const name = device.friendlyName || device.deviceModel || device.deviceType || device.deviceId
  const about = [device.deviceModel, device.deviceOs].filter((part) => part !== '' && part !== name).join(', ')
  const colon = locale === 'fr' ? ' : ' : ': '
  return `${shorten(name)}${about === '' ? '' : ` (${shorten(about)})`}${colon}${reasonText(device.reason, locale)}`
}

const NOT_ENROLLED = { en: 'it is not enrolled in Intune', fr: "il n'est pas inscrit dans Intune" }
const NOT_COMPLIANT = { en: 'it does not comply with the rules', fr: "il n'est pas conforme aux règles" }

/** What a user can do something about, for each reason a decision can have for a block; any other falls back to the general one. */
const REASONS: Readonly<Record<string, Readonly<Record<NoticeLocale, string>>>> = {
  'not-enrolled': NOT_ENROLLED,
  'device-of-another-user': { en: 'it is enrolled by somebody else', fr: "il est inscrit par quelqu'un d'autre" },
  'eas-id-not-activated': { en: 'your mail on it is not activated', fr: "votre messagerie n'y est pas activée" },
  'not-registered': {
    en: 'it is not registered with your organisation',
    fr: "il n'est pas enregistré auprès de votre organisation",
  },
  noncompliant: NOT_COMPLIANT,
  'compliance-conflict': NOT_COMPLIANT,
  'compliance-error': NOT_COMPLIANT,
  'compliance-unknown': { en: 'it was not evaluated yet', fr: "il n'a pas encore été évalué" },
  'grace-period-expired': {
    en: 'it does not comply with the rules, and the time to change that is over',
    fr: "il n'est pas conforme aux règles, et le délai pour y remédier est écoulé",
  },
}
const GENERAL: Readonly<Record<NoticeLocale, string>> = {
  en: 'it does not meet the requirements',
  fr: 'il ne remplit pas les conditions',
}

function reasonText(reason: string, locale: NoticeLocale): string {
  return (Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined)?.[locale] ?? GENERAL[locale]
}

function shorten(text: string): string {
  const characters = [...text.toWellFormed()]
  return characters.length <= 60 ? characters.join('') : `${characters.slice(0, 59).join('')}…`
}
