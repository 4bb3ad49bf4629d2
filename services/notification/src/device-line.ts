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

/** Sentences of the reasons a decision can have for a block; a reason of a later build falls back to the general one. */
const REASONS: Readonly<Record<string, Readonly<Record<NoticeLocale, string>>>> = {
  'not-enrolled': { en: 'it is not enrolled in Intune', fr: "il n'est pas inscrit dans Intune" },
  'not-managed': { en: 'it is not enrolled in Intune', fr: "il n'est pas inscrit dans Intune" },
  'not-registered': {
    en: 'it is not registered with your organisation',
    fr: "il n'est pas enregistré auprès de votre organisation",
  },
  'eas-id-not-bound': { en: 'your mail on it is not activated', fr: "votre messagerie n'y est pas activée" },
  'not-activated': { en: 'your mail on it is not activated', fr: "votre messagerie n'y est pas activée" },
  'not-compliant': { en: 'it does not comply with the rules', fr: "il n'est pas conforme aux règles" },
  noncompliant: { en: 'it does not comply with the rules', fr: "il n'est pas conforme aux règles" },
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
