import { describe, inject } from 'vitest'
import type {} from './engine/engine-environment.ts'

/** Tests that need a Docker engine: where none can be had they count as skipped, by name. */
export const describeWithEngine = describe.skipIf(inject('engine').unavailable !== undefined)
