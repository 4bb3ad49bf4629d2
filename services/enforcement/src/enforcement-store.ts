import {
  type BeginningChange,
  batchCalls,
  beginAccessChanges,
  type EnforcedMailbox,
  type EnforcementRecord,
  type MailboxToEnforce,
  readMailboxesToEnforce,
  recordEnforcements,
  type Store,
  warmConnections,
} from '@gatehouse/store'

/** What every message reads and leaves behind; those in hand at the same time are read and recorded together. */
export type EnforcementStore = {
  /** Undefined when discovery has never stored this mailbox of this organisation. */
  read(mailbox: EnforcedMailbox): Promise<MailboxToEnforce | undefined>
  /** false: the connector of the organisation has another epoch now, so nothing may be written. */
  begin(beginning: BeginningChange): Promise<boolean>
  record(record: EnforcementRecord): Promise<void>
}

const BATCH_MAX = 32

/** Before the first message: on every connection once what each message asks for. */
export async function warmEnforcementStore(pool: Store['pool']): Promise<void> {
  await warmConnections(pool, async (connection) => {
    await readMailboxesToEnforce(connection, [])
    await beginAccessChanges(connection, [])
    await recordEnforcements(connection, [])
  })
}

/** At most four connections of the pool at once: whoever has work for a runspace must not wait behind those who only read. */
export function createEnforcementStore(pool: Store['pool']): EnforcementStore {
  const byMailbox = { keyOf: (one: { mailboxId: string }) => one.mailboxId, batchMax: BATCH_MAX }
  return {
    read: batchCalls({
      ...byMailbox,
      concurrency: 2,
      run: (mailboxes: readonly EnforcedMailbox[]) => readMailboxesToEnforce(pool, mailboxes),
    }),
    begin: batchCalls({
      keyOf: ({ change }) => change.mailboxId,
      batchMax: BATCH_MAX,
      concurrency: 1,
      run: (beginning: readonly BeginningChange[]) => beginAccessChanges(pool, beginning),
    }),
    record: batchCalls({
      ...byMailbox,
      concurrency: 1,
      run: async (records: readonly EnforcementRecord[]) => {
        await recordEnforcements(pool, records)
        return records.map(() => undefined)
      },
    }),
  }
}
