import type { Truth } from './population.ts'

/** Why a mailbox is Gatehouse's business, or is not. All devices of the other kinds stay as Exchange has them. */
export type MailboxKind = {
  why: 'targeted' | 'user-not-targeted' | 'user-excluded' | 'user-unlicensed' | 'user-not-found' | 'user-ambiguous'
  /** Share of all mailboxes; `targeted` takes what is left. */
  share: number
  isIncluded: boolean
  isExcluded: boolean
  isLicensed: boolean
  entraUsers: 0 | 1 | 2
}

const targeted: MailboxKind = {
  why: 'targeted',
  share: 0,
  isIncluded: true,
  isExcluded: false,
  isLicensed: true,
  entraUsers: 1,
}

export const mailboxKinds = {
  targeted,
  notTargeted: { ...targeted, why: 'user-not-targeted', share: 0.02, isIncluded: false },
  /** In an included and in an excluded group: exclusion wins. */
  excluded: { ...targeted, why: 'user-excluded', share: 0.012, isExcluded: true },
  excludedOnly: { ...targeted, why: 'user-excluded', share: 0.003, isIncluded: false, isExcluded: true },
  unlicensed: { ...targeted, why: 'user-unlicensed', share: 0.015, isLicensed: false },
  notFound: { ...targeted, why: 'user-not-found', share: 0.007, isIncluded: false, isLicensed: false, entraUsers: 0 },
  /** Two people in Entra carry the mailbox's address as mail: nobody knows whose phone it is. */
  ambiguous: { ...targeted, why: 'user-ambiguous', share: 0.002, entraUsers: 2 },
} as const satisfies Record<string, MailboxKind>

/** What stays of a device that is none of Gatehouse's business: an administrator's entry, else the organisation's default. */
export function toUntouchedTruth(kind: MailboxKind, adminList: 'allow' | 'block' | 'none'): Truth {
  return {
    access: adminList === 'none' ? 'quarantine' : adminList,
    list: adminList,
    why: kind.why,
    settledBy: 'user',
    managedDeviceId: null,
  }
}
