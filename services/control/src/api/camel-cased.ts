/** A row with its column names as JSON has them; values stay as they are. */
export function camelCased(row: Record<string, unknown>): Record<string, unknown> {
  const rename = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [rename(name), value]))
}
