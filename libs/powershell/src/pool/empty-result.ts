import type { InvocationResult } from '../engine.ts'

/** What a cmdlet answers that says nothing; the lists are to be filled. For engines, and for whoever stands in for one. */
export function emptyResult(): InvocationResult {
  return {
    output: [],
    errors: [],
    warnings: [],
    verbose: [],
    debug: [],
    progress: [],
    information: [],
    recordsDropped: 0,
    failed: false,
    durationMs: 0,
  }
}
