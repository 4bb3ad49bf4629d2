import type { ServedExchange } from '@gatehouse/simulators'
import type { Check } from '../backpressure/judge-backpressure.ts'

/** What became of one organisation; times are seconds since the syncs were commanded. */
export type OrganizationFigures = {
  readonly name: string
  readonly devices: number
  readonly mailboxes: number
  readonly wasDead: boolean
  readonly status: string
  readonly writes: number
  readonly writesLeast: number
  readonly decidedSeconds: number
  readonly doneSeconds: number
  /** What its writes take when its runspaces are never without work. */
  readonly idealSeconds: number
  readonly mostShells: number
  readonly mails: number
  readonly mailsTwice: number
  readonly wrong: number
}

/** What the simulated Exchange of an organisation says of itself, as far as it is read here. */
export type ExchangeState = {
  readonly writes: number
  readonly writesLeast: number
  readonly mostShells: number
  readonly mailCount: number
  readonly mailsTwice: readonly unknown[]
  readonly wrong: { readonly count: number }
}

/** What the database says of an organisation's run. */
export type RunFacts = { readonly status: string; readonly decidedAt: Date | null; readonly writtenAt: Date | null }

export type Bounds = {
  readonly runspaces: number
  readonly shellsMax: number
  readonly latencyMs: number
  /** After the last mailbox of all was decided, an organisation has this much beside twice its own ideal. */
  readonly graceSeconds: number
}

export function figuresOf(
  exchange: ServedExchange,
  o: { state: ExchangeState; run: RunFacts | undefined; startedMs: number; wasDead: boolean; bounds: Bounds },
): OrganizationFigures {
  const { state, run, bounds } = o
  const seconds = (at: Date | null | undefined) => (at == null ? 0 : round((at.getTime() - o.startedMs) / 1_000))
  return {
    name: exchange.name,
    devices: exchange.devices,
    mailboxes: exchange.mailboxes,
    wasDead: o.wasDead,
    status: run?.status ?? 'none',
    writes: state.writes,
    writesLeast: state.writesLeast,
    decidedSeconds: seconds(run?.decidedAt),
    doneSeconds: seconds(run?.writtenAt),
    idealSeconds: round((state.writesLeast * bounds.latencyMs) / 1_000 / bounds.runspaces),
    mostShells: state.mostShells,
    mails: state.mailCount,
    mailsTwice: state.mailsTwice.length,
    wrong: state.wrong.count,
  }
}

export function checkOrganizations(all: readonly OrganizationFigures[], bounds: Bounds): Check[] {
  const living = all.filter((one) => !one.wasDead)
  const decidedSeconds = Math.max(...living.map((one) => one.decidedSeconds))
  const limitOf = (one: OrganizationFigures) => decidedSeconds + 2 * one.idealSeconds + bounds.graceSeconds
  return [
    none(
      'no device of any organisation is in a wrong state',
      all,
      (one) => one.wrong > 0,
      (one) => one.wrong,
    ),
    none(
      'no mail went out twice',
      all,
      (one) => one.mailsTwice > 0,
      (one) => one.mailsTwice,
    ),
    none(
      `no account had more than its ${bounds.shellsMax} shells`,
      all,
      (one) => one.mostShells > bounds.shellsMax,
      (one) => one.mostShells,
    ),
    none(
      'no organisation was written to more often than needed',
      all,
      (one) => one.writes > one.writesLeast,
      (one) => one.writes,
    ),
    none(
      'the run of every organisation succeeded',
      all,
      (one) => one.status !== 'succeeded',
      (one) => one.status,
    ),
    none(
      'no organisation was held up by another: once all is decided it needs at most twice its own ideal',
      living,
      (one) => one.doneSeconds > limitOf(one),
      (one) => `${one.doneSeconds} s > ${round(limitOf(one))} s`,
    ),
  ]
}

function none(
  check: string,
  all: readonly OrganizationFigures[],
  isBad: (one: OrganizationFigures) => boolean,
  tell: (one: OrganizationFigures) => number | string,
): Check {
  const bad = all.filter(isBad)
  const seen = bad.map((one) => `${one.name}: ${tell(one)}`).slice(0, 10)
  return { check, isSo: bad.length === 0, seen: seen.join(', ') || `${all.length} organisations` }
}

/** What most of the time was spent waiting for. */
export function nameLimit(o: { machineBusy: number; largest: OrganizationFigures; totalSeconds: number }): string {
  const { largest } = o
  const writing = largest.doneSeconds === 0 ? 0 : largest.idealSeconds / largest.doneSeconds
  const share = (value: number) => `${Math.round(value * 100)} %`
  if (writing >= 0.75) return `the shells of ${largest.name}: its account was writing for ${share(writing)} of the time`
  if (o.machineBusy >= 0.85) return `the CPU of this machine: ${share(o.machineBusy)} busy`
  return `neither shells (${share(writing)} of the time of ${largest.name}) nor CPU (${share(o.machineBusy)}): the broker or the database`
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}
