import { WORKER_NAMES } from '@gatehouse/cli/system'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ComposeProject } from './compose-project.ts'
import { report } from './measure-containers.ts'
import { describeWithEngine } from './needs-engine.ts'

const SIZE = { devices: 5_000, latencyMs: 100 }
const WRITES_BEFORE = 300

describeWithEngine('a rolling restart of every worker during a sync of 5,000 devices', { timeout: 400_000 }, () => {
  let project: ComposeProject

  beforeAll(async () => {
    project = await ComposeProject.create(SIZE)
  }, 300_000)
  afterAll(() => project?.[Symbol.asyncDispose](), 200_000)

  /** From nothing to a system that has just begun its first sync. */
  const measureSync = async (happens: () => Promise<void>, signal: AbortSignal): Promise<number> => {
    await project.must(['down', '--volumes', '--timeout', '5'], 200_000)
    await project.upWithoutDemo()
    const syncRunId = await project.startSync()
    await project.untilWritten(WRITES_BEFORE, signal)
    await happens()
    const { status, startedAt, finishedAt } = await project.untilEnded(syncRunId, signal)
    expect(status).toBe('succeeded')
    return (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000
  }

  it('loses, repeats and buries nothing, and costs little time', async ({ signal }) => {
    const undisturbed = await measureSync(async () => {}, signal)
    const disturbed = await measureSync(async () => {
      for (const worker of WORKER_NAMES)
        await project.must(['up', '-d', '--wait', '--no-deps', '--force-recreate', worker], 200_000)
    }, signal)
    const state = await project.exchangeState()
    const letters = await project.countDeadLetters()
    report('rolling restart', {
      'undisturbed, s': undisturbed,
      'disturbed, s': disturbed,
      ratio: disturbed / undisturbed,
      writes: state.writes,
      wrong: state.wrong.count,
    })

    expect(state).toMatchObject({ wrong: { count: 0 }, mailsTwice: [], duplicateAdds: 0 })
    expect(state.writes).toBe(state.writesLeast)
    expect(letters).toBe(0)
  })
})
