import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WORKER_NAMES } from '@gatehouse/cli/system'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ComposeProject } from './compose-project.ts'
import { report } from './measure-containers.ts'
import { describeWithEngine } from './needs-engine.ts'

/** Long enough for a sync to be under way whatever happens to it. */
const SIZE = { devices: 1_000, latencyMs: 200 }
/** For what takes longer than such a sync. */
const SLOW_MS = 800
const AWAY_MS = 20_000
const WRITES_BEFORE = 60

/** Each test is a sync of an organisation whose every list has to be written: before it, all of them are again what they were at first. */
describeWithEngine('a sync in containers', { timeout: 300_000 }, () => {
  let project: ComposeProject

  beforeAll(async () => {
    project = await ComposeProject.create(SIZE)
    await project.upWithoutDemo()
  }, 600_000)
  afterAll(() => project?.[Symbol.asyncDispose](), 200_000)
  beforeEach(async () => {
    await project.upWithoutDemo()
    await project.restoreLists()
  })

  const syncDuring = async (name: string, happens: () => Promise<void>, signal: AbortSignal): Promise<void> => {
    const before = await project.exchangeState()
    const syncRunId = await project.startSync()
    await project.untilWritten(before.writes + WRITES_BEFORE, signal)
    await happens()
    const run = await project.untilEnded(syncRunId, signal)
    const state = await project.exchangeState()
    const seconds = (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1_000
    report(name, { 'sync, s': seconds, writes: state.writes - before.writes, wrong: state.wrong.count })
    const letters = await project.countDeadLetters()

    expect(run.status).toBe('succeeded')
    expect(state).toMatchObject({ wrong: { count: 0 }, mailsTwice: [], duplicateAdds: 0 })
    expect(letters).toBe(0)
  }

  const outage =
    (service: string): (() => Promise<void>) =>
    async () => {
      await project.must(['stop', service])
      await delay(AWAY_MS)
      await project.must(['start', service])
    }

  // An engine starts again what ends by itself, but not what somebody has killed by its own command.
  const kill =
    (service: string): (() => Promise<void>) =>
    async () => {
      await project.must(['kill', service])
      await project.must(['start', service])
    }

  it.for(['control', 'enforcement', 'notification', 'compliance-lookup', 'discovery', 'rabbitmq', 'postgres'])(
    'ends right, with no mail twice, when the container of %s is killed',
    (service, { signal }) => syncDuring(`${service} killed`, kill(service), signal),
  )

  it('ends right, with no mail twice, when the passwords of database, broker and API are made anew in its middle', async ({
    signal,
  }) => {
    const renew = async (): Promise<void> => {
      await project.renewSecrets(['database-password', 'api-token', ...WORKER_NAMES.map((worker) => `broker/gh-${worker}`)])
      const password = (await readFile(join(project.directory, 'secrets', 'database-password'), 'utf8')).trim()
      await project.psql(`alter role gatehouse password '${password}'`)
      await project.must(['up', '--no-deps', '--force-recreate', 'topology'])
      for (const worker of WORKER_NAMES) await project.up('--no-deps', '--force-recreate', worker)
    }
    await project.setLatency(SLOW_MS)
    await syncDuring('secrets made anew', renew, signal)
    await project.setLatency(SIZE.latencyMs)
  })

  it.for(['rabbitmq', 'postgres'])('ends right, with no mail twice, when %s is stopped for 20 seconds', (service, { signal }) =>
    syncDuring(`${service} away for 20 s`, outage(service), signal),
  )
})
