import { runMeasuredSync } from '@gatehouse/cli/system'
import { describe, expect, it } from 'vitest'
import { buildPowerShellHost } from '../environment/powershell-host.ts'
import { RIGHT, readEndState, startTestSystem } from './start-test-system.ts'

const powerShell = await buildPowerShellHost()

describe.skipIf(powerShell === undefined)(
  'the pipeline through the host engine (needs the .NET SDK)',
  { timeout: 240_000 },
  () => {
    it('brings every device to its right state with cmdlets that a real PowerShell runs', async ({ signal }) => {
      await using system = await startTestSystem({ engine: 'host' }, signal)

      const sync = { syncType: 'fullSync', confirmed: true, timeoutMs: 180_000, onProgress: () => {} } as const
      const first = await runMeasuredSync(system, sync, signal)
      const second = await runMeasuredSync(system, { ...sync, confirmed: false }, signal)

      expect(first.run).toMatchObject({ status: 'succeeded', problem: null })
      expect(await readEndState(system)).toMatchObject(RIGHT)
      expect(second).toMatchObject({ writes: 0, run: { status: 'succeeded' } })
    })
  },
)
