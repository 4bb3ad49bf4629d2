import type { ErrorRecord } from '@gatehouse/powershell/protocol'
import type { IdentityIndex } from '../organization/identity-index.ts'
import type { Device, Mailbox } from '../organization/organization.ts'
import type { CmdletRun } from './cmdlet.ts'
import { ambiguous, notFound } from './error-records.ts'

export type Found<T> = { object: T } | { error: ErrorRecord }

export function findMailbox(run: CmdletRun, identity: string): Found<Mailbox> {
  return findOne(run, run.organization.mailboxIndex, identity)
}

export function findDevice(run: CmdletRun, identity: string): Found<Device> {
  return findOne(run, run.organization.deviceIndex, identity)
}

function findOne<T>(run: CmdletRun, index: IdentityIndex<T>, identity: string): Found<T> {
  const [first, ...others] = index.find(identity)
  if (first === undefined) return { error: notFound(run, identity) }
  return others.length > 0 ? { error: ambiguous(run, identity) } : { object: first }
}
