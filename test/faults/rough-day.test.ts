import { fileURLToPath } from 'node:url'
import { runMeasuredSync } from '@gatehouse/cli/system'
import { expect, it } from 'vitest'
import { RIGHT, readEndState, startTestSystem } from '../end-to-end/start-test-system.ts'

const PLAN = fileURLToPath(new URL('./plans/rough-day.json', import.meta.url))

it('ends right on a day when cmdlets fail, shells die, Graph throttles and EWS is busy', { timeout: 300_000 }, async ({
  signal,
}) => {
  await using system = await startTestSystem({ devices: 600, faultsFile: PLAN }, signal)

  const { run } = await runMeasuredSync(
    system,
    { syncType: 'fullSync', confirmed: true, timeoutMs: 280_000, onProgress: () => {} },
    signal,
  )

  expect(run.status).toBe('succeeded')
  expect(await readEndState(system)).toMatchObject(RIGHT)
  const microsoft = await system.simulators.microsoftState()
  expect(microsoft.tooEarly).toBe(0)
})
