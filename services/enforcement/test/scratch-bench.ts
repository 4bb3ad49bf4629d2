import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connectExchange } from '@gatehouse/exchange'
import { AdvisoryLocks, createDatabase, createRunspaceLeases, migrate, readConnectorEpoch } from '@gatehouse/store'
import { startLocalPostgres } from '@gatehouse/store/local'
import { handleDiscoverySync } from '../../discovery/src/handle-discovery-sync.ts'
import { ExchangeConnection } from '../src/exchange-connection.ts'
import { handleMailboxDecided } from '../src/handle-mailbox-decided.ts'
import { OrganizationPause } from '../src/organization-pause.ts'

const devices = Number(process.argv[2] ?? 5000),
  latency = Number(process.argv[3] ?? 100),
  shells = Number(process.argv[4] ?? 12)
const signal = new AbortController().signal
const sim = spawn(
  process.execPath,
  [new URL('scratch-simulator.ts', import.meta.url).pathname, String(devices), String(latency)],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const ready = await new Promise<any>((res) => {
  let t = ''
  sim.stdout.on('data', (c) => {
    t += c
    if (t.includes('\n')) res(JSON.parse(t))
  })
})
const directory = mkdtempSync('/tmp/bench-pg-')
const pgs = await startLocalPostgres({ directory, signal, durable: false })
try {
  const store = createDatabase({
    url: await pgs.createDatabase('bench'),
    applicationName: 'bench',
    connectionsMax: 10,
    onConnectionError: console.error,
  })
  await migrate(store.db)
  const org = randomUUID()
  await store.pool.query('insert into organizations values ($1,$2,false,now())', [org, 'contoso'])
  await store.pool.query("insert into connectors (organization_id, epoch, status) values ($1,1,'none')", [org])
  const log = {
    debug() {},
    info: (f: any, m: string) => console.log(m, JSON.stringify(f)),
    warn: (f: any, m: string) => console.log('WARN', m, f),
    error: (f: any, m: string) => console.log('ERR', m, f),
  }
  const observed: any[] = []
  let changed = 0
  const broker: any = {
    publish: async (type: string, fields: any) => {
      await new Promise((r) => setImmediate(r))
      if (type === 'mailbox.observed') observed.push(fields)
      else if (type === 'access.changed') changed++
      else console.log(type, JSON.stringify(fields))
    },
  }
  const leases = createRunspaceLeases({ pool: store.pool, account: 'a', holder: 'bench', shellsMax: 15, idleTimeoutMs: 120000 })
  const connect = (purpose: any, n: number) => (s: AbortSignal) =>
    connectExchange(
      {
        url: ready.url,
        user: ready.user,
        password: ready.password,
        purpose,
        shells: n,
        idleTimeoutMs: 120000,
        cmdletTimeoutMs: 60000,
        leases,
        isCasFailoverEnabled: true,
        log,
      },
      s,
    )
  const locks = new AdvisoryLocks({ pool: store.pool, applicationName: 'l', onLost: console.error })
  let ex: any
  const dOrg: any = {
    id: org,
    name: 'contoso',
    isParallel: true,
    refusedDevices: undefined,
    connect: async (s: AbortSignal) => (ex ??= await connect('read', 2)(s)),
  }
  const ctx: any = { messageId: randomUUID(), lane: 'bulk', attempt: 1, receivedAt: new Date(), redelivered: false }
  const newRun = async () => {
    const id = randomUUID()
    await store.pool.query(
      "insert into sync_runs (id, organization_id, sync_type, cause, status, brake, brake_limit, started_at) values ($1,$2,'fullSync','x','running','released',0,now())",
      [id, org],
    )
    return id
  }
  for (let round = 0; round < 3; round++) {
    const runId = await newRun()
    observed.length = 0
    let t = performance.now()
    const dm: any = {
      type: 'discovery.sync',
      version: 1,
      messageId: randomUUID(),
      at: new Date().toISOString(),
      organizationId: org,
      syncType: round === 2 ? 'deltaSync' : 'fullSync',
      syncRunId: runId,
    }
    console.log(
      await handleDiscoverySync(
        dm,
        ctx,
        { organizations: new Map([[org, dOrg]]), pool: store.pool, locks, broker, maxAttempts: 8, publishMax: 200, log },
        signal,
      ),
    )
    console.log(`discovery ${Math.round(performance.now() - t)} ms, published ${observed.length}`)
    if (round === 0) {
      await store.pool.query(
        `insert into decisions select p.id, p.organization_id, p.mailbox_id, p.device_id, 'allow', (array['allow','block','allow','none'])[1+abs(hashtext(p.device_id)) % 4], 'r', '{}', 1, now() from device_partnerships p`,
      )
    }
    await store.pool.query(
      `insert into mailbox_decisions select id, organization_id, nextval('decision_versions'), $1, 0, now() from mailboxes on conflict (mailbox_id) do update set decision_version = excluded.decision_version, sync_run_id = excluded.sync_run_id`,
      [runId],
    )
    const versions = new Map(
      (await store.pool.query('select mailbox_id, decision_version from mailbox_decisions')).rows.map((r: any) => [
        r.mailbox_id,
        r.decision_version,
      ]),
    )
    const pause = new OrganizationPause({ now: Date.now, random: Math.random })
    const connection = new ExchangeConnection({
      readEpoch: () => readConnectorEpoch(store.pool, org),
      connect: connect('write', shells),
      log,
    })
    const eOrg: any = { id: org, name: 'contoso', connection, pause, noticeWaitMs: 0, inHandMax: 192, inHand: 0 }
    const deps: any = { organizations: new Map([[org, eOrg]]), pool: store.pool, locks, broker, maxAttempts: 8, log }
    const queue = observed.slice()
    const outcomes: Record<string, number> = {}
    changed = 0
    const cpu = process.cpuUsage()
    t = performance.now()
    await Promise.all(
      Array.from({ length: 192 }, async () => {
        for (let o = queue.shift(); o; o = queue.shift()) {
          const m: any = {
            type: 'mailbox.decided',
            version: 1,
            messageId: randomUUID(),
            at: '',
            organizationId: org,
            mailboxId: o.mailboxId,
            syncRunId: runId,
            decisionVersion: versions.get(o.mailboxId),
          }
          let key: string
          try {
            const r = await handleMailboxDecided(m, ctx, deps, signal)
            key = r.kind === 'later' ? r.reason : r.kind
            if (r.kind === 'later') queue.push(o)
          } catch (e: any) {
            key = e.code ?? e.message
            if (!outcomes[key]) console.log(e)
          }
          outcomes[key] = (outcomes[key] ?? 0) + 1
        }
      }),
    )
    const ms = performance.now() - t
    const used = process.cpuUsage(cpu)
    console.log(
      `enforce ${Math.round(ms)} ms`,
      outcomes,
      {
        changed,
        ideal: Math.round((changed * latency) / shells),
        ratio: (ms / ((changed * latency) / shells)).toFixed(3),
        cpuMs: Math.round((used.user + used.system) / 1000),
      },
      (await connection.use(signal)).exchange.stats(),
    )
    console.log(
      (await store.pool.query('select outcome, count(*) from mailbox_enforcements group by 1')).rows,
      (await store.pool.query('select state, count(*) from access_changes group by 1')).rows,
    )
    await connection[Symbol.asyncDispose]()
  }
  const state = await (await fetch(new URL('/__simulator/state?brief', ready.url))).json()
  console.log(JSON.stringify({ ...state, wrong: undefined }))
  await ex?.[Symbol.asyncDispose]()
  console.log('leases', (await store.pool.query('select * from runspace_leases')).rows.length)
  await locks[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
} finally {
  await pgs.stop()
  sim.kill()
  rmSync(directory, { recursive: true, force: true })
}
