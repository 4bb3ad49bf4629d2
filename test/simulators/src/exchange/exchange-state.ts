import type { Population } from '../population/population.ts'
import type { Ledger, SentMail } from './ledger.ts'
import type { Organization } from './organization/organization.ts'
import { countWritesLeast, findWrongDevices, type WrongDevice } from './truth-report.ts'
import type { ShellHost } from './wsman/shell-host.ts'

/** The answer of `GET /__simulator/state`. With `?brief`, `lists` and `mails` are left out. */
export type ExchangeState = {
  cmdlets: Record<string, number>
  requests: Record<string, number>
  refusals: Record<string, number>
  faults: Record<string, number>
  shellsOpen: number
  mostShells: number
  shellsCreated: number
  shellsExpired: number
  orphans: number
  pipelines: number
  mostPipelines: number
  duplicateAdds: number
  emptyIdentities: number
  writes: number
  writesLeast: number
  firstRequestAt: string | null
  lastWriteAt: string | null
  mailCount: number
  mailsTwice: { stamp: string; times: number }[]
  wrong: { count: number; samples: WrongDevice[] }
  lists?: Record<string, { allowed: string[]; blocked: string[] }>
  mails?: SentMail[]
}

export function readExchangeState(o: {
  ledger: Ledger
  organization: Organization
  population: Population
  host: ShellHost
  isBrief: boolean
}): ExchangeState {
  const { ledger, organization, host } = o
  const state: ExchangeState = {
    cmdlets: Object.fromEntries(ledger.cmdlets),
    requests: Object.fromEntries(ledger.requests),
    refusals: Object.fromEntries(ledger.refusals),
    faults: Object.fromEntries(ledger.faults),
    shellsOpen: host.shells.size,
    mostShells: ledger.mostShells,
    shellsCreated: ledger.shellsCreated,
    shellsExpired: ledger.shellsExpired,
    orphans: host.orphans(),
    pipelines: ledger.pipelines,
    mostPipelines: ledger.mostPipelines,
    duplicateAdds: ledger.duplicateAdds,
    emptyIdentities: ledger.emptyIdentities,
    writes: ledger.writes,
    writesLeast: countWritesLeast(o.population),
    firstRequestAt: ledger.firstRequestAt?.toISOString() ?? null,
    lastWriteAt: ledger.lastWriteAt?.toISOString() ?? null,
    mailCount: ledger.mails.length,
    mailsTwice: ledger.mailsTwice(),
    wrong: findWrongDevices(organization, o.population),
  }
  if (o.isBrief) return state
  const lists = organization.mailboxes.map(({ source, allowed, blocked }) => [source.guid, { allowed, blocked }] as const)
  return { ...state, lists: Object.fromEntries(lists), mails: ledger.mails }
}
