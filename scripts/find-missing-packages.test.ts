import { describe, expect, it } from 'vitest'
import { findMissingPackages } from './find-missing-packages.mjs'

const lock = {
  packages: {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/other-platform': { version: '1.0.0', optional: true },
    'node_modules/@gatehouse/x': { resolved: 'libs/x', link: true },
  },
}

describe('packages that the lock file names', () => {
  it('are all missing when nothing was installed, or an install was broken off', () => {
    expect(findMissingPackages(lock, undefined)).toEqual(['node_modules/a', 'node_modules/@gatehouse/x'])
  })

  it('may lack when they are of another platform', () => {
    const { 'node_modules/other-platform': _, ...installed } = lock.packages

    expect(findMissingPackages(lock, { packages: installed })).toEqual([])
  })

  it('are missing in another version, optional or not', () => {
    const installed = {
      ...lock.packages,
      'node_modules/a': { version: '1.0.1' },
      'node_modules/other-platform': { version: '2.0.0', optional: true },
    }

    expect(findMissingPackages(lock, { packages: installed })).toEqual(['node_modules/a', 'node_modules/other-platform'])
  })

  it('are missing when the package is a copy instead of a link into the workspace', () => {
    const installed = { ...lock.packages, 'node_modules/@gatehouse/x': { version: '0.1.0' } }

    expect(findMissingPackages(lock, { packages: installed })).toEqual(['node_modules/@gatehouse/x'])
  })
})
