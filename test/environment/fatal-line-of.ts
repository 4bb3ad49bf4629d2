import { expect } from 'vitest'

/** The message of the one line at level fatal among the JSON lines of a process that could not start; none has a stack. */
export function fatalLineOf(errors: string): string {
  const lines = errors
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string })
  const fatal = lines.filter(({ level }) => level === 60)
  expect(fatal).toHaveLength(1)
  expect(errors).not.toContain('"stack"')
  return fatal[0]?.msg ?? ''
}
