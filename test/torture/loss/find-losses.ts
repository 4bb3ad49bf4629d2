import type { Population } from '@gatehouse/simulators'
import type { Ledger } from './read-ledger.ts'

const SAMPLES_MAX = 5

/**
 * Everything that is not as it must be after a sync that ended well, whatever happened meanwhile. What must be is told by the
 * population's truth, what was done by Exchange; the store and the broker must agree.
 */
export function findLosses(ledger: Ledger, population: Population): string[] {
  const { exchange, store, queues } = ledger
  const counts: [string, number][] = [
    ['devices are wrong at Exchange', exchange.wrong.count],
    ['adds of an id that the list already held', exchange.duplicateAdds],
    ['writes more than the least possible', exchange.writes - exchange.writesLeast],
    ['mailboxes differ between the store and the population', Math.abs(store.mailboxes - population.mailboxes.length)],
    ['mailboxes were not carried out', store.notCarriedOut],
    ['mailboxes were given up', store.failed],
    ['changes are still uncertain (writing)', store.writing],
    ['changes are still announced', store.announced],
    ['notices were not sent', store.unsentNotices],
    ['shells are still leased though every worker has stopped', store.leases],
  ]
  return [
    ...counts.filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what}`),
    ...(exchange.wrong.count === 0 ? [] : [`for example ${JSON.stringify(exchange.wrong.samples.slice(0, SAMPLES_MAX))}`]),
    ...Object.entries(queues).map(([name, count]) => `${count} messages in ${name}`),
    ...findMails(ledger, population),
    ...findNotices(ledger),
  ]
}

/** One mail to everybody whose phone comes to be blocked, none to anybody else, none twice. */
function findMails({ exchange }: Ledger, population: Population): string[] {
  const expected = countBy(listMailed(population))
  const sent = countBy(exchange.mails.flatMap(({ to }) => to.map((each) => each.toLowerCase())))
  const recipients = [...new Set([...expected.keys(), ...sent.keys()])]
  return sample(
    recipients.flatMap((recipient) => {
      const [want, got] = [expected.get(recipient) ?? 0, sent.get(recipient) ?? 0]
      return want === got ? [] : [`${got} mails to ${recipient}, not ${want}`]
    }),
  )
}

function listMailed(population: Population): string[] {
  return population.mailboxes
    .filter(({ partnerships, initialBlockedDeviceIds }) => {
      const blocked = new Set(initialBlockedDeviceIds.map(keyOf))
      return partnerships.some(
        ({ guid, deviceId }) => population.truth.get(guid)?.list === 'block' && !blocked.has(keyOf(deviceId)),
      )
    })
    .map(({ primarySmtpAddress }) => primarySmtpAddress.toLowerCase())
}

/** Every block has one notice, and Exchange took that mail before the block was begun. */
function findNotices({ changes, exchange }: Ledger): string[] {
  const sentAt = new Map(exchange.mails.map(({ stamp, at }) => [stamp, Date.parse(at)]))
  return sample(
    changes.flatMap(({ id, noticeIds, startedAt }) => {
      if (noticeIds.length !== 1) return [`${noticeIds.length} notices for the block ${id}`]
      const at = sentAt.get(noticeIds[0])
      if (at === undefined) return [`the notice of the block ${id} never reached Exchange`]
      return at <= Date.parse(startedAt) ? [] : [`the block ${id} was begun before its notice was sent`]
    }),
  )
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

function keyOf(deviceId: string): string {
  return deviceId.trim().toLowerCase()
}

function sample(problems: readonly string[]): string[] {
  return problems.length <= SAMPLES_MAX
    ? [...problems]
    : [...problems.slice(0, SAMPLES_MAX), `and ${problems.length - SAMPLES_MAX} more such`]
}
