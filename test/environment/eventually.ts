import { vi } from 'vitest'
import { PATIENCE } from './patience.ts'

/** Repeats an assertion until it holds, as `expect.poll` does with a value. @returns what it returned then. */
export function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, PATIENCE)
}
