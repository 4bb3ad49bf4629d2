import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import {
  announceAccessChange,
  beginAccessChanges,
  createDatabase,
  type EnforcementRecord,
  type NewAccessChange,
  recordEnforcements,
  type Store,
  warmConnections,
} from '../src/index.ts'

let database: TestDatabase
let store: Store
const organizationId = randomUUID()

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 3, onConnectionError: () => {} })
  await store.pool.query("insert into organizations (id, name, report_only) values ($1, 'contoso', false)", [organizationId])
  await store.pool.query("insert into connectors (organization_id, epoch, status) values ($1, 7, 'connected')", [
    organizationId,
  ])
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

function newChange(): NewAccessChange {
  return {
    id: randomUUID(),
    mailboxId: randomUUID(),
    organizationId,
    syncRunId: randomUUID(),
    decisionVersion: 1,
    plan: { allowAdd: ['Appl"1\\'], allowRemove: [], blockAdd: [], blockRemove: [] },
    oldAllowed: ['{a,b}', 'NULL'],
    oldBlocked: [],
    newAllowed: ['{a,b}', 'NULL', 'Appl"1\\'],
    newBlocked: [],
    cmdlet: 'Set-CASMailbox',
  }
}

function recordOf(change: NewAccessChange, part: Partial<EnforcementRecord>): EnforcementRecord {
  const { mailboxId, syncRunId, decisionVersion } = change
  const nothing = { own: [], disown: [], verifiedIds: [], superseded: { ids: [] } }
  return { mailboxId, organizationId, syncRunId, decisionVersion, outcome: 'written', ...nothing, ...part }
}

async function stateOf(change: NewAccessChange): Promise<unknown> {
  const { rows } = await store.pool.query('select state, old_allowed, problem from access_changes where id = $1', [change.id])
  return rows[0]
}

describe('changes of many mailboxes in one statement', () => {
  it('begin each on its own: new or announced, but never over a connection that was replaced, and never twice', async () => {
    const [fresh, announced, replaced] = [newChange(), newChange(), newChange()]
    await announceAccessChange(store.pool, announced, [])

    const begun = await beginAccessChanges(store.pool, [
      { change: fresh, epoch: 7 },
      { change: replaced, epoch: 6 },
      { change: announced, epoch: 7 },
    ])

    expect(begun).toEqual([true, false, true])
    expect(await stateOf(fresh)).toMatchObject({ state: 'writing', old_allowed: ['{a,b}', 'NULL'] })
    expect(await stateOf(announced)).toMatchObject({ state: 'writing' })
    expect(await stateOf(replaced)).toBeUndefined()
    expect(await beginAccessChanges(store.pool, [{ change: fresh, epoch: 7 }])).toEqual([false])
  })

  it('are recorded each with its own end, and recording them again changes nothing', async () => {
    const [written, failed] = [newChange(), newChange()]
    await beginAccessChanges(
      store.pool,
      [written, failed].map((change) => ({ change, epoch: 7 })),
    )
    const problem = { code: 'exchange-refused', message: 'a\0b' }
    const records = [
      recordOf(written, {
        change: { id: written.id, state: 'written', durationMs: 100.6 },
        own: [{ key: 'appl"1\\', list: 'allow', deviceId: 'Appl"1\\' }],
      }),
      recordOf(failed, { outcome: 'failed', change: { id: failed.id, state: 'failed', problem } }),
    ]

    await recordEnforcements(store.pool, records)
    await recordEnforcements(store.pool, records)

    expect(await stateOf(written)).toMatchObject({ state: 'written', problem: null })
    expect(await stateOf(failed)).toMatchObject({ state: 'failed', problem: { code: 'exchange-refused', message: 'ab' } })
    const { rows } = await store.pool.query(
      'select mailbox_id, device_id, change_id from own_exemptions where mailbox_id = any ($1)',
      [[written.mailboxId, failed.mailboxId]],
    )
    expect(rows).toEqual([{ mailbox_id: written.mailboxId, device_id: 'Appl"1\\', change_id: written.id }])
    const { rows: outcomes } = await store.pool.query(
      'select outcome from mailbox_enforcements where mailbox_id = any ($1) order by outcome',
      [[written.mailboxId, failed.mailboxId]],
    )
    expect(outcomes).toEqual([{ outcome: 'failed' }, { outcome: 'written' }])
  })

  it('stay written for their run when it decides them anew and finds nothing left to do', async () => {
    const change = newChange()
    const outcomeOf = async (): Promise<unknown> => {
      const answer = await store.pool.query('select outcome from mailbox_enforcements where mailbox_id = $1', [
        change.mailboxId,
      ])
      return answer.rows[0]?.outcome
    }
    await recordEnforcements(store.pool, [recordOf(change, {})])

    await recordEnforcements(store.pool, [recordOf({ ...change, decisionVersion: 2 }, { outcome: 'unchanged' })])
    expect(await outcomeOf()).toBe('written')

    const nextRun = { ...change, decisionVersion: 3, syncRunId: randomUUID() }
    await recordEnforcements(store.pool, [recordOf(nextRun, { outcome: 'unchanged' })])
    expect(await outcomeOf()).toBe('unchanged')
  })
})

describe('warming', () => {
  it('reaches every connection once and leaves all of them free', async () => {
    const asked: number[] = []
    await warmConnections(store.pool, async (connection) => {
      const { rows } = await connection.query<{ pid: number }>('select pg_backend_pid() as pid')
      asked.push(...rows.map(({ pid }) => pid))
    })

    expect(new Set(asked).size).toBe(3)
    expect(asked).toHaveLength(3)
    expect([store.pool.totalCount, store.pool.idleCount]).toEqual([3, 3])
  })

  it('says what failed and keeps no connection', async () => {
    await expect(warmConnections(store.pool, () => Promise.reject(new Error('no')))).rejects.toThrow('no')

    expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})
