import type { WorkResource } from '@gatehouse/worker'
import type { Organization } from './organization.ts'

/** The runspaces of an organisation, and what they are busy with. */
export function describeRunspaces({ name, runspaces, connection, breaker, writeMs }: Organization): WorkResource {
  const stats = connection.stats
  return {
    name,
    unit: 'runspaces',
    slots: stats === undefined ? runspaces : Math.min(runspaces, stats.shellsAllowed),
    open: stats?.shells ?? 0,
    busy: stats?.busy ?? 0,
    queued: stats?.queued ?? 0,
    call: 'Set-CASMailbox',
    secondsEach: writeMs === undefined ? undefined : writeMs / 1_000,
    pause: breaker.pause,
  }
}
