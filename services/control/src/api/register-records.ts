import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { z } from 'zod'
import type { ApiDeps } from './api-deps.ts'
import { camelCased } from './camel-cased.ts'
import { Page } from './page.ts'

const Scope = z.object({ organizationId: z.guid().optional() })
const ChangesQuery = Page.extend({
  ...Scope.shape,
  mailboxId: z.guid().optional(),
  syncRunId: z.guid().optional(),
  state: z.enum(['announced', 'writing', 'written', 'verified', 'reported', 'failed', 'superseded']).optional(),
})
const NoticesQuery = Page.extend({
  ...Scope.shape,
  mailboxId: z.guid().optional(),
  state: z.enum(['pending', 'sending', 'sent', 'failed', 'suppressed']).optional(),
})

/** What was decided, written and mailed. */
export function registerRecords(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/decisions', async (request) => {
    const { organizationId } = Scope.parse(request.query)
    const { rows } = await sql<{ access: string; reason: string; count: number }>`
      select access, reason, count(*)::int as count from decisions
      where ${organizationId === undefined ? sql`true` : sql`organization_id = ${organizationId}`}
      group by access, reason order by access, reason`.execute(deps.db)
    return { value: rows, byAccess: sumBy(rows, 'access'), byReason: sumBy(rows, 'reason') }
  })

  app.get('/api/accessChanges', async (request) => {
    const query = ChangesQuery.parse(request.query)
    const rows = await deps.db
      .selectFrom('access_changes')
      .leftJoin('mailboxes', 'mailboxes.id', 'access_changes.mailbox_id')
      .selectAll('access_changes')
      .select('mailboxes.primary_smtp_address')
      .$if(query.organizationId !== undefined, (q) =>
        q.where('access_changes.organization_id', '=', query.organizationId ?? ''),
      )
      .$if(query.mailboxId !== undefined, (q) => q.where('access_changes.mailbox_id', '=', query.mailboxId ?? ''))
      .$if(query.syncRunId !== undefined, (q) => q.where('access_changes.sync_run_id', '=', query.syncRunId ?? ''))
      .$if(query.state !== undefined, (q) => q.where('access_changes.state', '=', query.state ?? 'written'))
      .orderBy('access_changes.created_at', 'desc')
      .orderBy('access_changes.id')
      .limit(query.top)
      .offset(query.skip)
      .execute()
    return { value: rows.map(camelCased) }
  })

  app.get('/api/notices', async (request) => {
    const query = NoticesQuery.parse(request.query)
    const rows = await deps.db
      .selectFrom('notices')
      .selectAll()
      .$if(query.organizationId !== undefined, (q) => q.where('organization_id', '=', query.organizationId ?? ''))
      .$if(query.mailboxId !== undefined, (q) => q.where('mailbox_id', '=', query.mailboxId ?? ''))
      .$if(query.state !== undefined, (q) => q.where('state', '=', query.state ?? 'sent'))
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(query.top)
      .offset(query.skip)
      .execute()
    // While a notice is being sent the column holds when that began.
    return { value: rows.map((row) => camelCased({ ...row, sent_at: row.state === 'sent' ? row.sent_at : null })) }
  })
}

function sumBy<K extends string>(rows: readonly ({ count: number } & Record<K, string>)[], name: K): Record<string, number> {
  const sums = new Map<string, number>()
  for (const row of rows) sums.set(row[name], (sums.get(row[name]) ?? 0) + row.count)
  return Object.fromEntries(sums)
}
