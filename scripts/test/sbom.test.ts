import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

type Component = { 'bom-ref': string; licenses?: unknown[]; hashes?: unknown[] }
type Sbom = { bomFormat: string; metadata: { component: { name: string } }; components: Component[] }

it('the bill of materials has what the workers need, also if tests need it too, and neither tools nor simulators', () => {
  const script = join(import.meta.dirname, '..', 'sbom.ts')
  const sbom = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8', maxBuffer: 2 ** 26 })) as Sbom
  const names = sbom.components.map((component) => component['bom-ref'].replace(/@[^@]*$/, ''))

  expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'gatehouse' } } })
  expect(names).toEqual(expect.arrayContaining(['@gatehouse/enforcement', '@gatehouse/cli', 'amqplib', 'undici', 'zod', 'pg']))
  expect(names.filter((name) => ['vitest', 'typescript', 'knip', '@gatehouse/simulators'].includes(name))).toEqual([])
  const bare = sbom.components.filter((one) => !one['bom-ref'].startsWith('@gatehouse/') && !(one.licenses && one.hashes))
  expect(bare).toEqual([])
})
