import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPsObject, type PsData, type PsValue } from '../../../libs/powershell/src/index.ts'
import { decodeClixml, encodeClixml } from '../../../libs/powershell/src/protocol/index.ts'
import { listPowerShellTargets, type OpenedTarget } from '../../environment/powershell-targets.ts'
import { randomValue } from './random-values.ts'

const VALUES = 5_000
const VALUES_PER_COMMAND = 25
const SEED = 20_261_126
const options = { signal: new AbortController().signal, timeoutMs: 60_000 }
const targets = (await listPowerShellTargets()).filter(({ isRealEngine }) => isRealEngine)

describe.each(targets)('values sent to the real engine: $name', (target) => {
  describe.skipIf(target.unavailable !== undefined)(target.unavailable ?? 'and written back by it', () => {
    let opened: OpenedTarget
    beforeAll(async () => {
      opened = await target.open({ runspaces: 2 })
    }, 120_000)
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]()
    }, 60_000)

    it(`come back equal: ${VALUES} random ones of all types`, { timeout: 300_000 }, async () => {
      const batch = fc.array(randomValue, { minLength: VALUES_PER_COMMAND, maxLength: VALUES_PER_COMMAND })
      let compared = 0
      await fc.assert(
        fc.asyncProperty(batch, async (values) => {
          const echoed = await echo(opened, values)
          for (const [index, value] of values.entries()) {
            expect(plain(echoed[index] ?? null)).toEqual(plain(decodeClixml(encodeClixml(value))))
            compared++
          }
        }),
        { numRuns: VALUES / VALUES_PER_COMMAND, seed: SEED },
      )
      expect(compared).toBeGreaterThanOrEqual(VALUES)
    })
  })
})

/** The engine's own CLIXML of the values, so that the depth of a pipeline's output does not cut them. */
async function echo({ pool }: OpenedTarget, values: PsValue[]): Promise<PsData[]> {
  const { output, errors } = await pool.invoke({ name: 'Test-Clixml', parameters: { Value: values } }, options)
  expect(errors).toEqual([])
  const echoed = decodeClixml(String(output[0]?.value))
  if (!Array.isArray(echoed)) throw new TypeError('The engine did not write a list')
  return echoed
}

/** Without what the engine adds: type names, and texts of values that are no text. */
function plain(data: PsData): unknown {
  if (Array.isArray(data)) return data.map(plain)
  if (data instanceof Map) {
    const entries = [...data].map(([key, value]) => [plain(key), plain(value)] as const)
    return new Map(entries.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)))
  }
  if (isPsObject(data) && Object.keys(data.properties).length === 0)
    return data.value === undefined ? data.text : plain(data.value)
  return data
}
