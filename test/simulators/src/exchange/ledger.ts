/** One mail the server has accepted and sent. */
export type SentMail = { to: string[]; stamp: string | undefined; subject: string; at: Date }

/** What happened, counted as it happens. `GET /__simulator/state` shows it. */
export class Ledger {
  readonly cmdlets = new Map<string, number>()
  readonly requests = new Map<string, number>()
  readonly refusals = new Map<string, number>()
  readonly faults = new Map<string, number>()
  readonly mails: SentMail[] = []
  mostShells = 0
  mostPipelines = 0
  pipelines = 0
  shellsCreated = 0
  shellsExpired = 0
  /** Adds of an id the list already held. Microsoft does not say what that does; a careful client never finds out. */
  duplicateAdds = 0
  /** Reads with an empty or null identity, which answer with every object. */
  emptyIdentities = 0
  writes = 0
  lastWriteAt: Date | undefined
  firstRequestAt: Date | undefined

  addCmdlet(name: string): void {
    add(this.cmdlets, name)
  }

  addRequest(kind: string): void {
    this.firstRequestAt ??= new Date()
    add(this.requests, kind)
  }

  addRefusal(reason: string): void {
    add(this.refusals, reason)
  }

  addFault(kind: string): void {
    add(this.faults, kind)
  }

  addWrite(): void {
    this.writes += 1
    this.lastWriteAt = new Date()
  }

  beginPipeline(): void {
    this.pipelines += 1
    this.mostPipelines = Math.max(this.mostPipelines, this.pipelines)
  }

  endPipeline(): void {
    this.pipelines -= 1
  }

  noteShells(open: number): void {
    this.mostShells = Math.max(this.mostShells, open)
  }

  /** Stamps (and, unstamped, recipient + subject) sent more than once. */
  mailsTwice(): { stamp: string; times: number }[] {
    const times = new Map<string, number>()
    for (const mail of this.mails) add(times, mail.stamp ?? `${mail.to.join()} ${mail.subject}`)
    return [...times].filter(([, count]) => count > 1).map(([stamp, count]) => ({ stamp, times: count }))
  }
}

function add(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1)
}
