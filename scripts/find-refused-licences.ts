import { type Lock, listLockedPackages } from './list-locked-packages.ts'

const ALLOWED = ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'Unlicense']
/** Of what is never given to anybody. */
const ALLOWED_IN_DEVELOPMENT = [...ALLOWED, 'MPL-2.0']

/** The packages that we may not use, each with the licence it has. */
export function findRefusedLicences(lock: Lock): string[] {
  return listLockedPackages(lock)
    .filter(({ licence, isDevelopment }) => {
      const allowed = isDevelopment ? ALLOWED_IN_DEVELOPMENT : ALLOWED
      return !licence.split(' OR ').some((one) => allowed.includes(one))
    })
    .map(({ name, version, licence }) => `${name} ${version} is under ${licence || 'no stated licence'}`)
}
