import { createPopulation } from '@gatehouse/simulators'
import { describe, expect, it } from 'vitest'
import { findLosses } from './find-losses.ts'
import type { Ledger } from './read-ledger.ts'

const population = createPopulation({ devices: 60, seed: 3 })
const keyOf = (id: string) => id.trim().toLowerCase()
const mailed = population.mailboxes.filter(({ partnerships, initialBlockedDeviceIds }) =>
  partnerships.some(
    ({ guid, deviceId }) =>
      population.truth.get(guid)?.list === 'block' && !initialBlockedDeviceIds.map(keyOf).includes(keyOf(deviceId)),
  ),
)

/** A run in which everything went as it must. */
function rightLedger(): Ledger {
  const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
  return {
    exchange: {
      wrong: { count: 0, samples: [] },
      writes: 40,
      writesLeast: 40,
      duplicateAdds: 0,
      mails: mailed.map(({ guid, primarySmtpAddress }) => ({ to: [primarySmtpAddress], stamp: `n-${guid}`, at: at(1) })),
    },
    store: {
      mailboxes: population.mailboxes.length,
      notCarriedOut: 0,
      failed: 0,
      writing: 0,
      announced: 0,
      unsentNotices: 0,
      leases: 0,
    },
    changes: mailed.map(({ guid }) => ({ id: guid, mailboxId: guid, startedAt: at(2), noticeIds: [`n-${guid}`] })),
    queues: {},
  }
}

describe('the audit of a tortured sync', () => {
  it('finds nothing where nothing is lost and nothing done twice', () => {
    expect(mailed.length).toBeGreaterThan(1)
    expect(findLosses(rightLedger(), population)).toEqual([])
  })

  it('finds a mail that was never sent, one that was sent twice, and one that nobody was to get', () => {
    const ledger = rightLedger()
    const [lost, twice] = ledger.exchange.mails
    if (lost === undefined || twice === undefined) throw new Error('The population blocks too few')
    ledger.exchange.mails.splice(0, 1)
    ledger.exchange.mails.push({ ...twice }, { ...lost, to: ['nobody@contoso.com'] })

    expect(findLosses(ledger, population)).toEqual([
      `0 mails to ${lost.to[0]?.toLowerCase()}, not 1`,
      `2 mails to ${twice.to[0]?.toLowerCase()}, not 1`,
      '1 mails to nobody@contoso.com, not 0',
    ])
  })

  it('finds a block that was begun before its notice was sent, and one without a notice', () => {
    const [first, second, ...rest] = rightLedger().changes
    if (first === undefined || second === undefined) throw new Error('The population blocks too few')
    const changes = [{ ...first, startedAt: '2025-12-31T23:59:59.000Z' }, { ...second, noticeIds: [] }, ...rest]

    expect(findLosses({ ...rightLedger(), changes }, population)).toEqual([
      `the block ${first.id} was begun before its notice was sent`,
      `0 notices for the block ${second.id}`,
    ])
  })

  it('finds what is left in a queue, and a write that nobody has settled', () => {
    const right = rightLedger()

    const found = findLosses({ ...right, queues: { 'gh.unrouted': 2 }, store: { ...right.store, writing: 1 } }, population)

    expect(found).toEqual(['1 changes are still uncertain (writing)', '2 messages in gh.unrouted'])
  })
})
