import type { BrokerLog } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { readDatabaseClock, type Store } from '@gatehouse/store'
import type { Registry } from 'prom-client'
import { createClockMetrics } from './create-clock-metrics.ts'
import { measureClockSkew } from './measure-clock-skew.ts'
import type { HealthCheck } from './start-health-server.ts'

const EVERY_MS = 120_000

export type ClockWatch = { readonly check: HealthCheck } & AsyncDisposable

export type ClockWatchOptions = {
  readonly pool: Store['pool']
  readonly secondsMax: number
  readonly metrics: Registry
  readonly log: Pick<BrokerLog, 'info' | 'warn' | 'debug'>
  readonly nowMs?: () => number
}

/**
 * Compares our clock with PostgreSQL's, now and every two minutes. What several copies compare (leases, locks, observed-at, messages
 * done) is PostgreSQL's time; ours decides when the schedule is due, how old a message is that another copy has stamped (`later`, dead
 * letters, ages in the metrics), and whether certificates and Kerberos tickets (5 minutes) are valid.
 * @throws PermanentError `clock-wrong` when it is off by more than `secondsMax` now; later it is not ready
 */
export async function startClockWatch(options: ClockWatchOptions): Promise<ClockWatch> {
  const { pool, secondsMax, metrics, log, nowMs = Date.now } = options
  const measure = async (): Promise<number> => (await measureClockSkew(() => readDatabaseClock(pool), nowMs)) / 1_000
  let seconds = await measure()
  if (Math.abs(seconds) > secondsMax) throw new PermanentError('clock-wrong', describe(seconds, secondsMax))
  const setSkew = createClockMetrics(metrics)
  setSkew(seconds)
  let underWay: Promise<void> | undefined
  const look = async (): Promise<void> => {
    const wasWrong = Math.abs(seconds) > secondsMax
    seconds = await measure()
    setSkew(seconds)
    const isWrong = Math.abs(seconds) > secondsMax
    if (isWrong) log.warn({ skewSeconds: seconds, reason: describe(seconds, secondsMax) }, 'The clock is wrong')
    else if (wasWrong) log.info({ skewSeconds: seconds }, 'The clock is right again')
  }
  const timer = setInterval(() => {
    underWay ??= look()
      .catch((error: unknown) => log.debug({ err: error }, 'The clock could not be compared'))
      .finally(() => {
        underWay = undefined
      })
  }, EVERY_MS)
  timer.unref()
  return {
    check: () => Promise.resolve(Math.abs(seconds) > secondsMax ? 'wrong' : undefined),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await underWay
    },
  }
}

function describe(seconds: number, secondsMax: number): string {
  const side = `${Math.abs(seconds).toFixed(1)} s ${seconds > 0 ? 'ahead of' : 'behind'}`
  const limit = `worker.clockSkewSecondsMax is ${secondsMax}`
  return `The clock of this machine is ${side} that of PostgreSQL, and ${limit}: let both follow a time server`
}
