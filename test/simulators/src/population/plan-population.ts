import { type DeviceCase, deviceCases } from './device-case.ts'
import { type MailboxKind, mailboxKinds } from './mailbox-kind.ts'
import type { SeededRandom } from './seeded-random.ts'

const devicesPerMailbox = 1.32
/** Below this the mailboxes that are not targeted take one device each, so that the device traps find room. */
const smallPopulation = 150

const otherKinds = Object.keys(mailboxKinds).length - 1

export type MailboxPlan = { kind: MailboxKind; cases: DeviceCase[] }

/** How many mailboxes of which kind there are, and which cases are rolled for the devices of each; exactly `devices` devices. */
export function planPopulation(devices: number, random: SeededRandom): MailboxPlan[] {
  const counts = rollDeviceCounts(devices, random)
  const kinds = rollKinds(counts, devices, random)
  const plans = counts.map((count, index) => ({ kind: kinds[index] as MailboxKind, count }))
  const cases = rollCases(plans, random)
  return plans.map((plan, index) => ({ kind: plan.kind, cases: cases[index] as DeviceCase[] }))
}

function rollDeviceCounts(devices: number, random: SeededRandom): number[] {
  const mailboxes = Math.max(1, Math.ceil(devices / 4), Math.round(devices / devicesPerMailbox))
  const counts = Array.from({ length: mailboxes }, (): number => {
    const roll = random.next()
    return roll < 0.75 ? 1 : roll < 0.94 ? 2 : roll < 0.985 ? 3 : 4
  })
  const singles = devices < smallPopulation && mailboxes >= 2 * otherKinds ? otherKinds : 0
  counts.fill(1, 0, singles)
  let surplus = counts.reduce((sum, count) => sum + count, 0) - devices
  while (surplus !== 0) {
    const index = singles + random.below(mailboxes - singles)
    const count = counts[index] as number
    if (surplus > 0 && count > 1) {
      counts[index] = count - 1
      surplus -= 1
    } else if (surplus < 0 && count < 4) {
      counts[index] = count + 1
      surplus += 1
    }
  }
  return counts
}

function rollKinds(counts: number[], devices: number, random: SeededRandom): MailboxKind[] {
  const others: MailboxKind[] = []
  for (const kind of Object.values(mailboxKinds)) {
    if (kind.share === 0) continue
    for (let left = quota(kind.share, counts.length); left > 0; left -= 1) others.push(kind)
  }
  const kinds = counts.map((): MailboxKind => mailboxKinds.targeted)
  if (counts.length < 2 * others.length) return kinds

  const places = random.shuffle(counts.map((_, index) => index))
  if (devices < smallPopulation) places.sort((left, right) => (counts[left] as number) - (counts[right] as number))
  others.forEach((kind, index) => {
    kinds[places[index] as number] = kind
  })
  return kinds
}

function rollCases(plans: { kind: MailboxKind; count: number }[], random: SeededRandom): DeviceCase[][] {
  const cases = plans.map((): DeviceCase[] => [])
  const isTargeted = (index: number) => plans[index]?.kind.why === 'targeted'
  const targeted = plans.map((_, index) => index).filter(isTargeted)
  const total = targeted.reduce((sum, index) => sum + (plans[index]?.count ?? 0), 0)
  const deck = createDeck(total)

  // Mailboxes that mix states, and administrators' entries next to devices that are still to be decided, at any size.
  const mixes = [
    [deviceCases.compliant, deviceCases.noncompliant],
    [deviceCases.adminAllowed, deviceCases.compliant],
    [deviceCases.adminBlocked, deviceCases.compliant],
    [deviceCases.preAllowed, deviceCases.compliant],
  ]
  const several = random.shuffle(targeted.filter((index) => (plans[index]?.count ?? 0) > 1))
  mixes.forEach((mix, position) => {
    const index = several[position]
    if (index !== undefined && mix.every((wanted) => deck.includes(wanted))) {
      cases[index] = mix.map((wanted) => deck.splice(deck.indexOf(wanted), 1)[0] as DeviceCase)
    }
  })

  random.shuffle(deck)
  plans.forEach((plan, index) => {
    const own = cases[index] as DeviceCase[]
    while (own.length < plan.count) own.push(isTargeted(index) ? (deck.pop() ?? deviceCases.compliant) : rollUntouched(random))
  })
  return cases
}

/** One card per device of the targeted: every case at least once, the rest compliant. */
function createDeck(total: number): DeviceCase[] {
  const deck: DeviceCase[] = []
  for (const wanted of Object.values(deviceCases)) {
    for (let left = quota(wanted.share, total); left > 0; left -= 1) deck.push(wanted)
  }
  while (deck.length < total) deck.push(deviceCases.compliant)
  return deck.slice(0, total)
}

/** Devices nobody decides: compliant or not, known to Intune or not, it must make no difference. */
function rollUntouched(random: SeededRandom): DeviceCase {
  const roll = random.next()
  if (roll < 0.25) return deviceCases.preAllowed
  if (roll < 0.3) return deviceCases.preBlocked
  if (roll < 0.45) return deviceCases.noncompliant
  return roll < 0.6 ? deviceCases.notEnrolled : deviceCases.compliant
}

function quota(share: number, total: number): number {
  return Math.max(1, Math.round(share * total))
}
