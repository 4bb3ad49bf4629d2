import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type System, watchSyncRun } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../environment/otlp-collector.ts'
import { startTestSystem } from './start-test-system.ts'

/** Of whoever calls the API. */
const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }

type Line = { traceId?: string; mailboxId?: string; messageId?: string; messageType?: string }

const abort = new AbortController()
let collector: OtlpCollector
let system: System
let mailbox: { id: string; userId: string | null; deviceId: string }

beforeAll(async () => {
  collector = await startOtlpCollector()
  const env = { GATEHOUSE_WORKER_LOG_LEVEL: 'debug', GATEHOUSE_TRACING_OTLP_ENDPOINT: collector.url }
  system = await startTestSystem({ devices: 60, env }, abort.signal)
  const run = await watchSyncRun(system.control, await startSync(), { timeoutMs: 120_000, onProgress: () => {} }, abort.signal)
  expect(run.status).toBe('succeeded')
  mailbox = await readNotifiedMailbox()
}, 180_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await collector?.[Symbol.asyncDispose]()
  abort.abort()
}, 60_000)

describe('the trace of a sync', { timeout: 60_000 }, () => {
  it('holds every log line and every span of a mailbox, from the API call to its notice', async () => {
    const lines = (await readLog()).filter((line) => line.mailboxId === mailbox.id)

    expect(new Set(lines.map(({ messageType }) => messageType))).toEqual(
      new Set(['mailbox.observed', 'mailbox.decided', 'access.changed']),
    )
    expect(new Set(lines.map(({ traceId }) => traceId))).toEqual(new Set([CALLER.traceId]))
    const messageIds = new Set(lines.flatMap(({ messageId }) => messageId ?? []))
    const messageOf = (span: CollectedSpan) => String(span.attributes['messaging.message.id'])
    // One for each delivery of a message. Every worker sends its spans when it is their turn.
    const spans = () => collector.spans.filter((span) => messageIds.has(messageOf(span)))
    const under = () => {
      const spanIds = new Set(spans().map(({ spanId }) => spanId))
      return collector.spans.filter(({ parentSpanId }) => parentSpanId !== undefined && spanIds.has(parentSpanId))
    }
    await expect.poll(() => new Set(spans().map(messageOf)).size).toBe(messageIds.size)
    await expect.poll(() => under().map(({ name }) => name)).toEqual(expect.arrayContaining(['Set-CASMailbox', 'CreateItem']))
    for (const span of spans()) {
      expect(span.traceId).toBe(CALLER.traceId)
      await expect.poll(() => ancestorsOf(span)).toEqual(expect.arrayContaining(['POST /api/syncs', 'start sync']))
    }
    expect(new Set(under().map(({ traceId }) => traceId))).toEqual(new Set([CALLER.traceId]))
  })

  it('tells of the work of every worker', async () => {
    const namesOf = (service: string) =>
      new Set(collector.spans.filter((span) => span.resource['service.name'] === service).map(({ name }) => name))

    for (const [service, names] of [
      ['gatehouse-control', ['POST /api/syncs', 'start sync']],
      ['gatehouse-discovery', ['process gh.discovery', 'Get-MobileDevice']],
      ['gatehouse-compliance-lookup', ['GET /v1.0/deviceManagement/managedDevices']],
      ['gatehouse-enforcement', ['process gh.enforcement']],
      ['gatehouse-notification', ['process gh.notification']],
    ] as const)
      await expect.poll(() => [...namesOf(service)]).toEqual(expect.arrayContaining([...names]))
  })

  it('is what a collector may ask for, and names no person, mailbox or device', () => {
    const text = JSON.stringify(collector.spans)

    expect(collector.faults).toEqual([])
    for (const personal of ['@', mailbox.id, mailbox.userId, mailbox.deviceId]) expect(text).not.toContain(personal)
  })
})

/** As somebody whose own work is traced; answers the id of the run. */
async function startSync(): Promise<string> {
  const token = (await readFile(join(system.directory, 'secrets', 'api-token'), 'utf8')).trim()
  const answer = await fetch(new URL('/api/syncs', system.control.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01`,
    },
    body: JSON.stringify({ syncType: 'fullSync', confirmed: true }),
  })
  const { value } = (await answer.json()) as { value: { syncRunId: string }[] }
  return value[0]?.syncRunId ?? ''
}

async function readNotifiedMailbox(): Promise<typeof mailbox> {
  const { rows } = await sql<typeof mailbox>`
    select notices.mailbox_id as id, directory_users.id as "userId", device_partnerships.device_id as "deviceId"
    from notices
    join device_partnerships on device_partnerships.mailbox_id = notices.mailbox_id
    left join directory_users on lower(directory_users.user_principal_name) = lower(notices.recipient)
    where notices.state = 'sent'
    order by directory_users.id nulls last limit 1`.execute(system.store.db)
  if (rows[0] === undefined) throw new Error('Nobody was sent a notice')
  return rows[0]
}

async function readLog(): Promise<Line[]> {
  const text = await readFile(join(system.directory, 'logs', 'workers.log'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

/** The names of a span's parent, of that one's parent, and so on. */
function ancestorsOf(span: CollectedSpan): string[] {
  const parent = collector.spans.find(({ spanId }) => spanId === span.parentSpanId)
  return parent === undefined ? [] : [parent.name, ...ancestorsOf(parent)]
}
