import { toTime } from './invent-mailbox.ts'
import type { AssignedPlan, EntraUser } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

const exchangePlan = 'efb87545-963c-4e0d-99df-69c6916d9eb0'
const intunePlan = 'c1ec4a95-1f05-45b3-a911-aa3fa01094f5'
const languages = ['en-US', 'en-US', 'en-GB', 'fr-FR', 'fr-FR', 'fr-CA', 'de-DE', 'pl-PL', null] as const

export function inventUser(
  random: SeededRandom,
  person: {
    upn: string
    mail: string | null
    displayName: string
    givenName: string | null
    surname: string | null
    isLicensed: boolean
  },
): EntraUser {
  return {
    id: random.guid(),
    userPrincipalName: person.upn,
    mail: person.mail,
    displayName: person.displayName,
    givenName: person.givenName,
    surname: person.surname,
    preferredLanguage: random.pick(languages),
    licensed: person.isLicensed,
    assignedPlans: inventPlans(random, person.isLicensed),
  }
}

/** People without an Intune licence have other plans, and often one they once had: it stays listed as Deleted. */
function inventPlans(random: SeededRandom, isLicensed: boolean): AssignedPlan[] {
  const assignedDateTime = toTime(random, 2024, 1)
  const plans: AssignedPlan[] = [
    { assignedDateTime, capabilityStatus: 'Enabled', service: 'exchange', servicePlanId: exchangePlan },
  ]
  if (isLicensed) plans.push({ assignedDateTime, capabilityStatus: 'Enabled', service: 'SCO', servicePlanId: intunePlan })
  else if (random.chance(0.5)) {
    plans.push({ assignedDateTime, capabilityStatus: 'Deleted', service: 'SCO', servicePlanId: intunePlan })
  }
  return plans
}
