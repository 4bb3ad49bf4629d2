import type { Admission } from './admission.ts'
import type { Store } from './create-database.ts'
import { readClientAccessServers } from './exchange-servers.ts'
import { createRunspaceLeases, deleteRunspaceLease, leaseHolderOf, readOrphanLeases } from './runspace-leases.ts'

export type AccountRecordsOptions = {
  readonly pool: Store['pool']
  readonly organizationId: string
  readonly workerName: string
  /** One for all accounts of the process; see `createRunspaceLeases`. */
  readonly admit: Admission
  /** As the settings have it. Exchange counts the shells of an account whatever the case of its name. */
  readonly exchange: { readonly user: string; readonly shellsPerAccountMax: number; readonly idleTimeoutSeconds: number }
}

/** What a worker keeps and looks up of its account at one organisation's Exchange, as the connector to it needs it. */
export function createAccountRecords(options: AccountRecordsOptions) {
  const { pool, organizationId, exchange, admit } = options
  const account = `${organizationId}:${exchange.user.toLowerCase()}`
  const holder = leaseHolderOf(options.workerName)
  const idleTimeoutMs = exchange.idleTimeoutSeconds * 1_000
  return {
    leases: createRunspaceLeases({ pool, account, holder, shellsMax: exchange.shellsPerAccountMax, idleTimeoutMs, admit }),
    knownServers: () => readClientAccessServers(pool, organizationId),
    readOrphans: () => readOrphanLeases(pool, account, holder),
    forgetOrphan: (leaseId: string) => deleteRunspaceLease(pool, leaseId),
  }
}
