/**
 * Tells which packages of the lock file are not installed as it says.
 *
 * @param {{ packages?: Record<string, { version?: string, link?: boolean, optional?: boolean, resolved?: string }> }} wanted package-lock.json
 * @param {{ packages?: Record<string, { version?: string, link?: boolean, optional?: boolean, resolved?: string }> } | undefined} installed
 *   node_modules/.package-lock.json, which npm writes last: an install that was broken off has none
 * @returns {string[]} their paths
 */
export function findMissingPackages(wanted, installed) {
  const found = installed?.packages ?? {}
  return Object.entries(wanted.packages ?? {})
    .filter(([path, entry]) => path !== '' && isMissing(entry, found[path]))
    .map(([path]) => path)
}

// Optional packages are those of other platforms: they may lack, but not be of another version.
function isMissing(wanted, found) {
  if (found === undefined) return wanted.optional !== true
  return found.version !== wanted.version || found.link !== wanted.link
}
