import { Breaker } from '@gatehouse/broker'
import { createConnector, SESSION_FAULT_CODES } from '@gatehouse/exchange'
import { type Admission, createAccountRecords, createAdmission, readConnectorEpoch } from '@gatehouse/store'
import {
  createExchangeFailureCounter,
  createExchangeMetrics,
  type OrganizationSettings,
  organizationIdOf,
  readSecret,
  type Worker,
} from '@gatehouse/worker'
import { ExchangeConnection } from './exchange-connection.ts'
import type { Organization } from './organization.ts'
import { Turns } from './turns.ts'

/**
 * So many messages in hand for each runspace: one that runs, one sent ahead, and enough that are being read or recorded. Each more
 * is a change that must be looked up in Exchange should this process die.
 */
const IN_HAND_PER_RUNSPACE = 6
const IN_HAND_MIN = 24
/** Connections to the database that all leases of shells may use at once. */
const LEASE_CONNECTIONS = 2

/** The organisations of the settings; none is connected before it is needed. */
export function createOrganizations(worker: Worker): Organization[] {
  const { metrics, settings } = worker
  const admit = createAdmission(LEASE_CONNECTIONS)
  const names = settings.organizations.map(({ name }) => name)
  const countFailure = createExchangeFailureCounter(metrics, names, SESSION_FAULT_CODES)
  const created = settings.organizations.map((each) => {
    const noteFailure = (error: unknown): void => countFailure(each.name, error)
    return { organization: createOrganization(each, { worker, noteFailure, admit }), primaryUrl: each.exchange.url }
  })
  createExchangeMetrics(
    metrics,
    created.map(({ organization: { name, runspaces, connection }, primaryUrl }) => ({
      organization: name,
      primaryUrl,
      runspacesMax: runspaces,
      read: () => connection.reading,
    })),
  )
  return created.map(({ organization }) => organization)
}

function createOrganization(
  { name, exchange, mail }: OrganizationSettings,
  { worker, noteFailure, admit }: { worker: Worker; noteFailure: Organization['noteFailure']; admit: Admission },
): Organization {
  const id = organizationIdOf(name)
  const { pool } = worker.store
  const log = worker.log.child({ organizationId: id, organization: name })
  const connect = createConnector(exchange, {
    purpose: 'write',
    env: worker.env,
    readSecret,
    ...createAccountRecords({ pool, organizationId: id, workerName: worker.name, exchange, admit }),
    log,
    trace: { tracer: worker.tracer, organizationId: id },
  })
  const runspaces = exchange.enableParallelCommandSupport ? exchange.runspacesMax : 1
  return {
    id,
    name,
    connection: new ExchangeConnection({ readEpoch: () => readConnectorEpoch(pool, id), connect, log }),
    breaker: new Breaker({ now: Date.now, random: Math.random }),
    noticeWaitMs: mail.enabled ? mail.noticeWaitSecondsMax * 1_000 : 0,
    inHandMax: Math.max(runspaces * IN_HAND_PER_RUNSPACE, IN_HAND_MIN),
    runspaces,
    noteFailure,
    inHand: 0,
    turns: new Turns(),
    writeMs: undefined,
  }
}
