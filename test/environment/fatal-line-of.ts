import { expect } from 'vitest'

/** What the one line at level fatal says, message and reason, among the JSON lines of a process that could not start; none has a stack. */
export function fatalLineOf(errors: string): string {
  const lines = errors
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string; reason?: string })
  const fatal = lines.filter(({ level }) => level === 60)
  expect(fatal).toHaveLength(1)
  expect(errors).not.toContain('"stack"')
  return [fatal[0]?.msg, fatal[0]?.reason].filter((text) => text !== undefined).join(': ')
}
