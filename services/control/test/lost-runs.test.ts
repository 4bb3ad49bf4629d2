import { queueNamesOf, SERVICE_NAMES, UNROUTED } from '@gatehouse/broker'
import { readRun } from '@gatehouse/store'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { evaluateRun } from '../src/evaluate-run.ts'
import { requestLostRuns } from '../src/request-lost-runs.ts'
import { publishMissingCommands, startSync } from '../src/start-sync.ts'
import { LADDER_QUEUES } from '../src/status/queue-depths.ts'
import { writeSettings } from '../src/write-settings.ts'
import { type Fixture, ORGANIZATION, startFixture } from './control-fixture.ts'

const signal = AbortSignal.timeout(120_000)
let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())
beforeEach(() => fixture.clear())

const EMPTY = new Map([...SERVICE_NAMES.flatMap(queueNamesOf), ...LADDER_QUEUES, UNROUTED].map((name) => [name, 0]))
const COMMANDS = ['compliance-lookup.refresh', 'discovery.sync', 'enforcement.reconcile-organization']

async function startRun() {
  const deps = fixture.createDeps()
  await writeSettings(deps)
  const run = await startSync({ organizationId: ORGANIZATION, syncType: 'fullSync', cause: 'manual' }, deps, signal)
  fixture.published.length = 0
  /** What the tracker does at a beat, so many minutes after the run began. */
  const beat = async (minutes: number, depths: ReadonlyMap<string, number> = EMPTY) => {
    const at = new Date(run.started_at.getTime() + minutes * 60_000)
    const then = { ...fixture.createDeps({ at }), readDepths: () => Promise.resolve(depths) }
    const { isQuiet } = await evaluateRun(run.id, then)
    await requestLostRuns(isQuiet ? [run.id] : [], then, signal)
    await publishMissingCommands(then, 0, signal)
    return fixture.published
      .splice(0)
      .map(({ type }) => type)
      .sort()
  }
  return { run, beat }
}

describe('a run that should move and does not', () => {
  it('is commanded again when no queue holds a message, after a quarter of an hour and twice in its life', async () => {
    const { run, beat } = await startRun()

    const published = []
    for (const minutes of [15, 16, 17, 31, 32, 48, 64]) published.push(await beat(minutes))

    expect(published).toEqual([[], COMMANDS, [], [], COMMANDS, [], []])
    expect((await readRun(fixture.store.db, run.id))?.status).toBe('running')
  })

  it.each([
    ['work waits in an inbox', new Map([...EMPTY, ['gh.enforcement', 1]])],
    ['something is on the delay ladder', new Map([...EMPTY, [LADDER_QUEUES[5] ?? '', 1]])],
    ['a queue is missing', new Map([...EMPTY].filter(([name]) => name !== 'gh.discovery'))],
  ])('is left alone while %s', async (_title, depths) => {
    const { beat } = await startRun()

    expect(await beat(16, depths)).toEqual([])
    expect(await beat(17)).toEqual(COMMANDS)
  })

  it('is commanded again though there are dead letters, which wait for a person', async () => {
    const { beat } = await startRun()

    expect(await beat(16, new Map([...EMPTY, ['gh.notification.dead', 3]]))).toEqual(COMMANDS)
  })
})
