import { SERVICE_NAMES, type ServiceName } from '@gatehouse/broker'
import type { Lane } from '@gatehouse/messages'
import { z } from 'zod'
import { DeadLetterFilter } from './dead-letter-filter.ts'

const TARGETS = SERVICE_NAMES.flatMap((service) => [service, `${service}.urgent` as const])

/** How a replay goes on, once its letters are chosen. */
export const ReplayOptions = z.strictObject({
  ratePerSecond: z.number().min(0.01).max(100_000).optional(),
  /** The first `count` go first and are watched for `seconds`: if one of them is dead again by then, the rest stays. */
  canary: z.strictObject({ count: z.number().int().min(1).max(10_000), seconds: z.number().min(0.1).max(3_600) }).optional(),
  /** A service, or `<service>.urgent`; default: where each was first published to. */
  to: z.enum(TARGETS).optional(),
  /** Stop when more than this part of what was sent is dead again. */
  returnedPercentMax: z.number().min(0).max(100).default(10),
})
export type ReplayOptions = z.infer<typeof ReplayOptions>

/** Nothing happens to a letter unless it is said to `execute`, and either the hash that a person has seen or `yes`. */
export const Execution = z.strictObject({
  execute: z.boolean().default(false),
  hash: z
    .string()
    .regex(/^[0-9a-f]{16}$/, 'is the 16 hex digits that the dry run printed')
    .optional(),
  yes: z.boolean().default(false),
})
export type Execution = z.infer<typeof Execution>

export const ReplayRequest = z.strictObject({
  filter: DeadLetterFilter.prefault({}),
  max: z.number().int().min(1).max(1_000_000).optional(),
  ...ReplayOptions.shape,
  ...Execution.shape,
})
export type ReplayRequest = z.infer<typeof ReplayRequest>

/** The service and lane that `to` names. */
export function targetOf(to: ReplayOptions['to']): { service: ServiceName; lane: Lane } | undefined {
  if (to === undefined) return undefined
  const [service, lane] = to.split('.')
  return { service: service as ServiceName, lane: lane === 'urgent' ? 'urgent' : 'bulk' }
}
