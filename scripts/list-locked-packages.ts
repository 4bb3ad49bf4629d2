type Entry = { version?: string; license?: string; dev?: boolean; link?: boolean }
export type Lock = { packages: Record<string, Entry> }
export type LockedPackage = { name: string; version: string; licence: string; isDevelopment: boolean }

/** Packages whose licence npm does not find, since they state it in the old form (`licenses` in package.json). */
const STATED: Record<string, string> = {
  'buildcheck@0.0.7': 'MIT',
  'cpu-features@0.0.10': 'MIT',
  'individual@2.0.0': 'MIT',
  'safe-json-parse@4.0.0': 'MIT',
  'ssh2@1.17.0': 'MIT',
}

/** All packages of others in package-lock.json, each version once, by name. */
export function listLockedPackages(lock: Lock): LockedPackage[] {
  const found = new Map<string, LockedPackage>()
  for (const [path, { version = '', license, dev = false, link = false }] of Object.entries(lock.packages)) {
    const name = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1]
    if (name === undefined || link) continue
    const key = `${name}@${version}`
    // Two copies of one version may be there, one of them for development only.
    const isDevelopment = dev && (found.get(key)?.isDevelopment ?? true)
    found.set(key, { name, version, licence: license ?? STATED[key] ?? '', isDevelopment })
  }
  return [...found.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, locked]) => locked)
}
