import type { MessageContext } from '@gatehouse/broker'
import { readOpenRunOf } from '@gatehouse/store'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { decideMailbox, type MailboxToBeDecided } from './decide-mailbox.ts'

const CONCURRENCY = 16

type Changed = Omit<MailboxToBeDecided, 'syncRunId'>
type For = {
  readonly syncRunId: string
  readonly context: MessageContext
  readonly deps: ComplianceLookupDeps
  readonly signal: AbortSignal
}

/**
 * Decides the mailboxes of changed devices here and now, before the run counts as looked up: control judges the brake by the
 * decisions that are stored by then, and blocks that came in later would slip past it. A mailbox that cannot be decided now gets
 * a message of its own, and so attempts of its own.
 */
export async function decideChangedMailboxes(mailboxes: readonly Changed[], given: For): Promise<void> {
  const runs = new Map<string, Promise<string | undefined>>()
  const waiting = [...mailboxes]
  const work = async () => {
    for (let mailbox = waiting.pop(); mailbox !== undefined; mailbox = waiting.pop()) {
      given.signal.throwIfAborted()
      await decideOrAsk(mailbox, await runOf(mailbox, runs, given), given)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
}

/** A user's mailbox may be in another organisation than the run's, whose brake must not count it. */
async function runOf(mailbox: Changed, runs: Map<string, Promise<string | undefined>>, { deps, syncRunId }: For) {
  const { organizationId } = mailbox
  const found = runs.get(organizationId) ?? readRunFor(organizationId, syncRunId, deps)
  runs.set(organizationId, found)
  return await found
}

async function readRunFor(organizationId: string, syncRunId: string, { pool }: ComplianceLookupDeps) {
  const { rows } = await pool.query<{ organization_id: string }>('select organization_id from sync_runs where id = $1', [
    syncRunId,
  ])
  return rows[0]?.organization_id === organizationId ? syncRunId : await readOpenRunOf(pool, organizationId)
}

async function decideOrAsk(mailbox: Changed, syncRunId: string | undefined, { context, deps, signal }: For): Promise<void> {
  const isDecided = syncRunId !== undefined && (await decideNow({ ...mailbox, syncRunId }, { context, deps, signal }))
  if (isDecided) return
  const fields = { ...mailbox, ...(syncRunId === undefined ? {} : { syncRunId }) }
  await deps.broker.publish('compliance-lookup.decide-mailbox', fields, { lane: context.lane, causedBy: context, signal })
}

async function decideNow(mailbox: MailboxToBeDecided, { context, deps, signal }: Omit<For, 'syncRunId'>): Promise<boolean> {
  try {
    return (await decideMailbox(mailbox, context, deps, signal)).kind === 'done'
  } catch (error) {
    signal.throwIfAborted()
    deps.log.warn({ err: error, mailboxId: mailbox.mailboxId }, 'A mailbox could not be decided; it is asked for again')
    return false
  }
}
