/** Tells which fields of a tree somebody who was handed `watched` has never read. */
export function watchReads(tree: object): { watched: object; listUnread: () => string[] } {
  const read = new Set<string>()
  const watch = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null) return value
    return new Proxy(value, {
      get: (target, key) => {
        const inner: unknown = Reflect.get(target, key)
        if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return inner
        read.add(`${path}/${key}`)
        return watch(inner, `${path}/${key}`)
      },
    })
  }
  return { watched: watch(tree, '') as object, listUnread: () => listPaths(tree, '').filter((path) => !read.has(path)) }
}

function listPaths(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [`${path}/${key}`, ...listPaths(inner, `${path}/${key}`)])
}
