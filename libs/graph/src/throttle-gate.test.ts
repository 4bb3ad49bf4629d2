import { expect, it } from 'vitest'
import { createThrottleGate } from './throttle-gate.ts'

it('refuses, with what is left of the wait, until the wait is over', async () => {
  let now = 0
  const gate = createThrottleGate(() => now)
  gate.close('intune', 2_128)
  now = 1_000

  await expect(gate.pass('intune', AbortSignal.timeout(1_000))).rejects.toMatchObject({
    code: 'graph-throttled',
    retryAfterMs: 1_128,
  })
  await gate.pass('entra', AbortSignal.timeout(1_000))
  now = 2_128
  await gate.pass('intune', AbortSignal.timeout(1_000))
})
