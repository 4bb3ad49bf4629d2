import { RetryableError } from '@gatehouse/messages'
import type { ClientEvent } from '../protocol/client-pool.ts'
import type { ErrorRecord } from '../protocol/command.ts'
import { readLoadQuotaMs, saysTooManyShells } from '../wsman/fault.ts'

/** Throws when a pool's state event says that it is of no more use. */
export function refuseBrokenPool(event: ClientEvent): void {
  if (event.kind !== 'pool-state' || (event.state !== 'broken' && event.state !== 'closed')) return
  throw notOpened(event.reason?.message ?? `The runspace is ${event.state}`, event.reason)
}

/** Exchange 2019 says only here, not in a WSMan fault, that the account has too many connections or creates them too fast. */
export function notOpened(message: string, reason: ErrorRecord | undefined): RetryableError {
  const retryAfterMs = readLoadQuotaMs(message)
  const quota = saysTooManyShells(message) ? 'wsman-shell-quota' : 'runspace-broken'
  const code = retryAfterMs === undefined ? quota : 'wsman-load-quota'
  const detail = { mayHaveRun: true, shellLost: true, fullyQualifiedErrorId: reason?.fullyQualifiedErrorId ?? '' }
  return new RetryableError(code, message, { retryAfterMs, detail })
}
