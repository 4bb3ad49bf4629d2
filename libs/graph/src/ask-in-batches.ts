import type { PermanentError, RetryableError } from '@gatehouse/messages'
import { z } from 'zod'
import { classifyRefusal, unreadableAnswer } from './classify.ts'
import { parseRetryAfter } from './parse-retry-after.ts'
import type { Call, GraphCounts, Requester } from './requester.ts'
import { type ThrottleGate, throttled } from './throttle-gate.ts'

/** Microsoft's limit. Source: microsoft-graph-docs-contrib concepts/json-batching.md. */
const BATCH_MAX = 20

const Batch = z.object({
  responses: z.array(
    z.object({
      id: z.string(),
      status: z.number(),
      headers: z.record(z.string(), z.unknown()).nullish(),
      body: z.unknown().optional(),
    }),
  ),
})

export type BatchItem = {
  readonly key: string
  /** Path and query after `/v1.0`. */
  readonly url: string
}

type BatchCall = Pick<Call, 'permission' | 'workload'> & {
  /** The body of a 200; undefined for a 404. */
  readonly take: (key: string, body: unknown | undefined, signal: AbortSignal) => Promise<void>
}

type Deps = { readonly request: Requester; readonly gate: ThrottleGate; readonly counts: GraphCounts }
type Failures = { throttled: number; retryAfterMs: number | undefined; other: PermanentError | RetryableError | undefined }

/**
 * Asks for many things in batches of twenty. Everything that is answered is taken; only then does what was throttled or refused
 * throw, throttling with the longest wait. No request is sent before its own wait is over.
 */
export async function askInBatches(
  items: readonly BatchItem[],
  call: BatchCall,
  deps: Deps,
  signal: AbortSignal,
): Promise<void> {
  const failures: Failures = { throttled: 0, retryAfterMs: undefined, other: undefined }
  const isOpen = (item: BatchItem) => {
    const leftMs = deps.gate.remainingMs(pathOf(item))
    if (leftMs > 0) noteThrottled(failures, leftMs)
    return leftMs === 0
  }
  for (let start = 0; start < items.length; ) {
    const chunk: BatchItem[] = []
    for (; start < items.length && chunk.length < BATCH_MAX; start += 1) {
      const item = items[start] as BatchItem
      if (isOpen(item)) chunk.push(item)
    }
    if (chunk.length === 0) break
    const before = failures.throttled
    const requests = chunk.map((item, index) => ({ id: String(index), method: 'GET', url: item.url }))
    const body = await deps.request({ ...call, path: '/v1.0/$batch', body: { requests } }, signal)
    for (const [item, answer] of readAnswers(body, chunk)) {
      if (answer.status === 200) await call.take(item.key, answer.body, signal)
      else if (answer.status === 404) await call.take(item.key, undefined, signal)
      else noteFailure({ item, answer, call, deps }, failures)
    }
    // More of the same would only be throttled as well, and be counted against us.
    if (failures.throttled - before > chunk.length / 2) break
  }
  if (failures.other?.name === 'PermanentError') throw failures.other
  if (failures.throttled > 0) throw throttled(failures.retryAfterMs)
  if (failures.other !== undefined) throw failures.other
}

type Answer = z.infer<typeof Batch>['responses'][number]

/** Answers come in any order, and one may be missing. */
function readAnswers(body: unknown, chunk: readonly BatchItem[]): [BatchItem, Pick<Answer, 'status' | 'headers' | 'body'>][] {
  const parsed = Batch.safeParse(body)
  if (!parsed.success) throw unreadableAnswer(parsed.error)
  const answers = new Map(parsed.data.responses.map((answer) => [answer.id, answer]))
  return chunk.map((item, index) => [item, answers.get(String(index)) ?? { status: 504 }])
}

function noteFailure(
  o: { item: BatchItem; answer: Pick<Answer, 'status' | 'headers' | 'body'>; call: BatchCall; deps: Deps },
  failures: Failures,
): void {
  const { item, answer, call, deps } = o
  const retryAfterMs = parseRetryAfter(
    Object.entries(answer.headers ?? {}).find(([name]) => name.toLowerCase() === 'retry-after')?.[1],
  )
  const error = classifyRefusal({ status: answer.status, body: answer.body, retryAfterMs }, call)
  if (error.code !== 'graph-throttled') {
    // What an administrator must put right counts more than what may pass.
    if (failures.other === undefined || error.name === 'PermanentError') failures.other = error
    return
  }
  deps.counts.throttled += 1
  if (retryAfterMs !== undefined) deps.gate.close(pathOf(item), retryAfterMs)
  noteThrottled(failures, retryAfterMs)
}

function noteThrottled(failures: Failures, retryAfterMs: number | undefined): void {
  failures.throttled += 1
  if (retryAfterMs !== undefined) failures.retryAfterMs = Math.max(failures.retryAfterMs ?? 0, retryAfterMs)
}

/** Requests for one path are throttled together, whatever they ask. */
function pathOf(item: BatchItem): string {
  return item.url.split('?')[0] ?? item.url
}
