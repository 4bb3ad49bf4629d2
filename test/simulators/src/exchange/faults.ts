import { createSeededRandom } from '../population/seeded-random.ts'
import { type FaultPlan, parseFaultPlan } from './fault-plan.ts'

/** The plan in force. Each kind of fault rolls its own dice, so one kind's load does not reshuffle another's. */
export class Faults {
  plan: FaultPlan = {}
  #dice = new Map<string, () => number>()
  #cmdletsSinceDeath = 0

  constructor(plan?: unknown) {
    this.set(plan ?? {})
  }

  /** Takes effect at once. Throws when the plan is invalid; the old one then stays. */
  set(plan: unknown): void {
    this.plan = parseFaultPlan(plan)
    this.#dice.clear()
    this.#cmdletsSinceDeath = 0
  }

  isUnreachable(): boolean {
    return this.plan.exchange?.unreachable === true
  }

  failsCmdlet(name: string): boolean {
    const section = this.plan.cmdlets
    return section !== undefined && concerns(section.names, name) && this.#rolls('cmdlets', section.transientPercent)
  }

  hangs(name: string): { ignoreStop: boolean } | undefined {
    const section = this.plan.hang
    if (section === undefined || !concerns(section.names, name) || !this.#rolls('hang', section.percent)) return undefined
    return { ignoreStop: section.ignoreStop === true }
  }

  microDelayMs(): number {
    const section = this.plan.microDelay
    return section !== undefined && this.#rolls('microDelay', section.percent) ? section.delayMs : 0
  }

  killsShellAfterCmdlet(): boolean {
    const section = this.plan.shells
    if (section === undefined) return false
    this.#cmdletsSinceDeath += 1
    const dies =
      (section.dieEveryCmdlets !== undefined && this.#cmdletsSinceDeath >= section.dieEveryCmdlets) ||
      this.#rolls('shells', section.dieAfterCmdletsPercent ?? 0)
    if (dies) this.#cmdletsSinceDeath = 0
    return dies
  }

  resetsConnection(): 'before' | 'after' | undefined {
    if (!this.#rolls('http', this.plan.http?.resetPercent ?? 0)) return undefined
    return this.#roll('http-moment') < 0.5 ? 'before' : 'after'
  }

  /** Milliseconds to stay away, when this mail request is turned down. */
  ewsBackOffMs(): number | undefined {
    if (!this.#rolls('ews', this.plan.ews?.busyPercent ?? 0)) return undefined
    return this.plan.ews?.backOffMs ?? 1000
  }

  losesMailAnswer(): boolean {
    return this.#rolls('ews-answer', this.plan.ews?.lostAnswerPercent ?? 0)
  }

  #rolls(kind: string, percent: number): boolean {
    return percent > 0 && this.#roll(kind) * 100 < percent
  }

  #roll(kind: string): number {
    let dice = this.#dice.get(kind)
    if (dice === undefined) {
      dice = createSeededRandom((this.plan.seed ?? 1) + hashOf(kind)).next
      this.#dice.set(kind, dice)
    }
    return dice()
  }
}

function concerns(names: string[] | undefined, name: string): boolean {
  return names === undefined || names.some((each) => each.toLowerCase() === name.toLowerCase())
}

function hashOf(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}
