import { expect, it } from 'vitest'
import { trimSbom } from './trim-sbom.ts'

const component = (ref: string) => ({ 'bom-ref': ref })

it('a bill of materials is cut down to what its roots need, the rest of the graph goes', () => {
  const sbom = {
    metadata: { component: { 'bom-ref': 'all@1.0.0', name: 'all' } },
    components: ['@a/service@1.0.0', '@a/simulators@1.0.0', 'shared@1.0.0', 'deep@1.0.0', 'tool@1.0.0', 'fake@1.0.0'].map(
      component,
    ),
    dependencies: [
      { ref: 'all@1.0.0', dependsOn: ['@a/service@1.0.0', 'tool@1.0.0', 'shared@1.0.0'] },
      { ref: '@a/service@1.0.0', dependsOn: ['@a/simulators@1.0.0', 'shared@1.0.0'] },
      { ref: '@a/simulators@1.0.0', dependsOn: ['fake@1.0.0'] },
      { ref: 'shared@1.0.0', dependsOn: ['deep@1.0.0'] },
      { ref: 'deep@1.0.0' },
      { ref: 'tool@1.0.0', dependsOn: ['shared@1.0.0'] },
      { ref: 'fake@1.0.0' },
    ],
  }

  const trimmed = trimSbom(sbom, { roots: ['@a/service'], without: ['@a/simulators'] })

  expect(trimmed.components.map((one) => one['bom-ref'])).toEqual(['@a/service@1.0.0', 'shared@1.0.0', 'deep@1.0.0'])
  expect(trimmed.dependencies).toEqual([
    { ref: 'all@1.0.0', dependsOn: ['@a/service@1.0.0'] },
    { ref: '@a/service@1.0.0', dependsOn: ['shared@1.0.0'] },
    { ref: 'shared@1.0.0', dependsOn: ['deep@1.0.0'] },
    { ref: 'deep@1.0.0', dependsOn: [] },
  ])
})
