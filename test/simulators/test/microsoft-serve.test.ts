import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createPopulation, serveSimulators } from '../src/index.ts'

it('serves Microsoft alone, with the policy of the population and the faults of the file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'simulators-'))
  const faultsFile = join(directory, 'faults.json')
  await writeFile(faultsFile, JSON.stringify({ seed: 3, cmdlets: { transientPercent: 1 }, graph: { throttlePercent: 5 } }))

  const { ready, stop } = await serveSimulators({ what: 'microsoft', port: 0, devices: 40, latencyMs: 0, seed: 3, faultsFile })
  const state = await (await fetch(`${ready.endpoint}/__simulator/state`)).json()
  await stop()
  await rm(directory, { recursive: true })

  expect(ready.policy.includedGroups).toEqual(createPopulation({ devices: 40, seed: 3 }).policy.includedGroups)
  expect(ready).toMatchObject({ devices: 40, seed: 3, authority: ready.endpoint })
  expect(ready).not.toHaveProperty('url')
  expect(state).toMatchObject({ faults: { seed: 3, throttlePercent: 5 } })
  await expect(fetch(`${ready.endpoint}/__simulator/state`)).rejects.toThrow()
})

it('serves both on one population: a change at Microsoft moves what Exchange must come to', async () => {
  const { ready, stop } = await serveSimulators({ what: 'all', port: 0, devices: 40, latencyMs: 0, seed: 3 })
  const population = createPopulation({ devices: 40, seed: 3 })
  const [guid = ''] = population.traps.get('device-compliant') ?? []
  const device = population.truth.get(guid)?.managedDeviceId
  const readExpected = async () => {
    const state = (await (await fetch(`${new URL(ready.url ?? '').origin}/__simulator/state`)).json()) as {
      wrong: { samples: { device: string; expected: { list: string } }[] }
    }
    return state.wrong.samples.find((sample) => sample.device === guid)?.expected.list
  }

  const before = await readExpected()
  const change = { device, complianceState: 'noncompliant' }
  await fetch(`${ready.endpoint}/__simulator/population-change`, { method: 'POST', body: JSON.stringify(change) })
  const after = await readExpected()
  await stop()

  expect([before, after]).toEqual(['allow', 'block'])
})
