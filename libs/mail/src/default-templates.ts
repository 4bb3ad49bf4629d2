import type { NoticeTemplate } from './render-notice.ts'

/** The languages Gatehouse brings texts for. */
export const NOTICE_LOCALES = ['en', 'fr'] as const
export type NoticeLocale = (typeof NOTICE_LOCALES)[number]

/**
 * The mail that goes out before a device is blocked. Variables: `displayName`, `organization`, `devices` (one line per device
 * with its reason), `enrolUrl`. An organisation may override each language.
 */
export const DEFAULT_TEMPLATES: Readonly<Record<NoticeLocale, NoticeTemplate>> = {
  en: {
    subject: 'Action needed: your mobile device and your {{organization}} mail',
    body: `Hello {{displayName}},

{{organization}} requires mobile devices that read mail to be managed and compliant. This does not hold for:

{{devices}}

Mail will stop on these devices until it does.

**[Get started now]({{enrolUrl}})**

1. Open the link above **on the device itself**.
2. Install the Company Portal app and enrol the device.
3. Follow what the Company Portal asks for until the device is shown as compliant.
4. Open the mail app and let it check for mail, so that your mail is activated.

Access comes back within minutes. If your mail app is set to *push*, set it to *fetch* until then.

If you do not know a device listed here, tell your help desk.
`,
  },
  fr: {
    subject: 'Action requise : votre appareil mobile et votre messagerie {{organization}}',
    body: `Bonjour {{displayName}},

{{organization}} exige que les appareils mobiles qui lisent la messagerie soient gérés et conformes. Ce n'est pas le cas de :

{{devices}}

La messagerie s'arrêtera sur ces appareils tant que ce ne sera pas le cas.

**[Commencer maintenant]({{enrolUrl}})**

1. Ouvrez le lien ci-dessus **sur l'appareil lui-même**.
2. Installez l'application Portail d'entreprise et inscrivez l'appareil.
3. Suivez les indications du Portail d'entreprise jusqu'à ce que l'appareil soit indiqué comme conforme.
4. Ouvrez l'application de messagerie et relevez le courrier, pour que votre messagerie soit activée.

L'accès revient en quelques minutes. Si votre messagerie est réglée sur *Push*, réglez-la sur *Récupérer* jusque-là.

Si vous ne connaissez pas un appareil de cette liste, prévenez votre support informatique.
`,
  },
}

/** The best language we have for a preferred one such as `fr-CA`; English when there is none. */
export function noticeLocaleOf(preferredLanguage: string | null | undefined): NoticeLocale {
  const language = preferredLanguage?.trim().toLowerCase().split(/[-_]/)[0]
  return NOTICE_LOCALES.find((locale) => locale === language) ?? 'en'
}
