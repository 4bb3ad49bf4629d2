import type { BrokerConnection } from '@gatehouse/broker'
import { RetryableError } from '@gatehouse/messages'
import type { Logger } from './create-logger.ts'
import type { WorkerName } from './run-worker.ts'
import { waitUntilWell } from './wait-until-well.ts'

const ASK_MS = 10_000
const NAMED_MAX = 5

/**
 * Waits until every queue and exchange that a worker works with is there: `gatehouse topology apply` may still be running.
 * @throws RetryableError `topology-missing` that names them when the signal ends first
 */
export async function waitForTopology(
  { broker, name, vhost, log }: { broker: BrokerConnection; name: WorkerName; vhost: string; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const find = async (): Promise<RetryableError | undefined> => {
    const missing = await broker.findMissingTopology(name, AbortSignal.timeout(ASK_MS))
    return missing.length === 0 ? undefined : incomplete(vhost, missing)
  }
  await waitUntilWell({ what: 'topology', find: () => find().catch(asAbsence), log }, signal)
}

/** A connection that is lost while it is asked is opened again. */
function asAbsence(cause: unknown): RetryableError {
  return new RetryableError('broker-unreachable', 'RabbitMQ does not say what it has', { cause })
}

function incomplete(vhost: string, missing: readonly string[]): RetryableError {
  const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : ''
  const names = missing.slice(0, NAMED_MAX).join(', ') + more
  return new RetryableError('topology-missing', `Virtual host ${vhost} lacks ${names}: run gatehouse topology apply`)
}
