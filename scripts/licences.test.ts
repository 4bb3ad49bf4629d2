import { describe, expect, it } from 'vitest'
import { findRefusedLicences } from './find-refused-licences.ts'
import { formatLicences } from './format-licences.ts'

const lockOf = (packages: Record<string, { license?: string; dev?: boolean; link?: boolean }>) => ({
  packages: {
    '': {},
    'libs/one': {},
    ...Object.fromEntries(Object.entries(packages).map(([path, entry]) => [path, { version: '1.0.0', ...entry }])),
  },
})

describe('licences', () => {
  it('are refused when they are not allowed, not stated, or allowed in development only', () => {
    const lock = lockOf({
      'node_modules/@a/good': { license: 'MIT' },
      'node_modules/choice': { license: 'GPL-3.0 OR MIT' },
      'node_modules/bad': { license: 'GPL-3.0', dev: true },
      'node_modules/tool': { license: 'MPL-2.0', dev: true },
      'node_modules/good/node_modules/shipped': { license: 'MPL-2.0' },
      'node_modules/silent': {},
    })

    expect(findRefusedLicences(lock)).toEqual([
      'bad 1.0.0 is under GPL-3.0',
      'shipped 1.0.0 is under MPL-2.0',
      'silent 1.0.0 is under no stated licence',
    ])
  })

  it('are listed for what runs and counted for development, our own packages left out', () => {
    const text = formatLicences(
      lockOf({
        'node_modules/@gatehouse/one': { link: true },
        'node_modules/@a/runs': { license: 'MIT' },
        'node_modules/both': { license: 'ISC', dev: true },
        'node_modules/@a/runs/node_modules/both': { license: 'ISC' },
        'node_modules/tool': { license: 'MIT', dev: true },
      }),
    )

    expect(text.match(/^\| .* \|$/gm)).toEqual([
      '| package | version | licence |',
      '| @a/runs | 1.0.0 | MIT |',
      '| both | 1.0.0 | ISC |',
    ])
    expect(text).toContain('1 packages (MIT 1)')
    expect(text).not.toContain('@gatehouse')
  })
})
