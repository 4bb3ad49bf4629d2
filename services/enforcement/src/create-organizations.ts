import { Breaker } from '@gatehouse/broker'
import { createConnector } from '@gatehouse/exchange'
import { createAccountRecords, readConnectorEpoch } from '@gatehouse/store'
import { type OrganizationSettings, organizationIdOf, readSecret, type Worker } from '@gatehouse/worker'
import { ExchangeConnection } from './exchange-connection.ts'
import type { Organization } from './organization.ts'

/**
 * So many messages in hand for each runspace: one that runs, one sent ahead, and enough that are being read or recorded. Each more
 * is a change that must be looked up in Exchange should this process die.
 */
const IN_HAND_PER_RUNSPACE = 6
const IN_HAND_MIN = 24

/** The organisations of the settings; none is connected before it is needed. */
export function createOrganizations(worker: Worker): Organization[] {
  return worker.settings.organizations.map((settings) => createOrganization(settings, worker))
}

function createOrganization({ name, exchange, mail }: OrganizationSettings, worker: Worker): Organization {
  const id = organizationIdOf(name)
  const { pool } = worker.store
  const log = worker.log.child({ organization: name })
  const connect = createConnector(exchange, {
    purpose: 'write',
    env: worker.env,
    readSecret,
    ...createAccountRecords({ pool, organizationId: id, workerName: worker.name, exchange }),
    log,
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
    inHand: 0,
    writeMs: undefined,
  }
}
