import {
  batchCalls,
  type MailboxToDecide,
  type NewMailboxDecision,
  readMailboxesToDecide,
  type Store,
  storeMailboxDecisions,
  warmConnections,
} from '@gatehouse/store'

/** The facts and the decisions of mailboxes; those that are asked for together are read and written together. */
export type DecisionStore = {
  read(mailbox: { mailboxId: string; organizationId: string }): Promise<MailboxToDecide | undefined>
  /** The version; undefined when another decision was stored since the facts were read. */
  store(decision: NewMailboxDecision): Promise<number | undefined>
}

/** Before the first message: on every connection once what each message asks for. */
export async function warmDecisionStore(pool: Store['pool']): Promise<void> {
  await warmConnections(pool, async (connection) => {
    await readMailboxesToDecide(connection, { mailboxes: [], missingRefreshesMax: 0 })
    await storeMailboxDecisions(connection, [])
  })
}

const BATCH_MAX = 32
const CONCURRENCY = 2

export function createDecisionStore(o: { pool: Store['pool']; missingRefreshesMax: number }): DecisionStore {
  const batching = { keyOf: (one: { mailboxId: string }) => one.mailboxId, batchMax: BATCH_MAX, concurrency: CONCURRENCY }
  return {
    read: batchCalls({
      ...batching,
      run: (mailboxes: Parameters<typeof readMailboxesToDecide>[1]['mailboxes']) =>
        readMailboxesToDecide(o.pool, { ...o, mailboxes }),
    }),
    store: batchCalls({
      ...batching,
      run: (decisions: readonly NewMailboxDecision[]) => storeMailboxDecisions(o.pool, decisions),
    }),
  }
}
