import { answer, type GraphAnswer, type GraphRequest, refuse } from './graph-answer.ts'

const stepsMax = 20

export type BatchOptions = { answerOne: (request: GraphRequest) => GraphAnswer; shuffle: <T>(items: T[]) => T[] }

type Step = { id: string; method: string; url: string; headers: Record<string, string>; body: unknown; dependsOn: string[] }
type StepAnswer = { id: string; status: number; headers: Record<string, string>; body: unknown }

/** POST /$batch: at most 20 requests, judged one by one, answered in any order. The outer answer is 200 whatever they say. */
export function answerBatch(request: GraphRequest, options: BatchOptions): GraphAnswer {
  if (request.method !== 'POST') return refuse(405, 'BadRequest', 'The requested HTTP method is not supported on $batch.')
  const steps = parseSteps(request.body)
  if (typeof steps === 'string') return refuse(400, 'BadRequest', steps)
  const answers = new Map<string, StepAnswer>()
  for (const step of steps) answers.set(step.id, answerStep(step, request, options, answers))
  return answer({ responses: options.shuffle([...answers.values()]) })
}

function answerStep(step: Step, outer: GraphRequest, options: BatchOptions, earlier: Map<string, StepAnswer>): StepAnswer {
  const hasFailed = step.dependsOn.some((id) => (earlier.get(id)?.status ?? 424) >= 400)
  const inner = hasFailed
    ? refuse(424, 'FailedDependency', 'A request that this one depends on has failed.')
    : answerInner(step, outer, options)
  return {
    id: step.id,
    status: inner.status,
    headers: { 'Content-Type': 'application/json', ...inner.headers },
    body: inner.body,
  }
}

function answerInner(step: Step, outer: GraphRequest, options: BatchOptions): GraphAnswer {
  if (/^https?:/i.test(step.url)) return refuse(400, 'BadRequest', 'Invalid batch request: the url must be relative.')
  const url = new URL(step.url.replace(/^\/*/, '/'), 'http://batch')
  const headers = Object.fromEntries(Object.entries(step.headers).map(([name, value]) => [name.toLowerCase(), String(value)]))
  return options.answerOne({
    method: step.method.toUpperCase(),
    segments: url.pathname
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent),
    query: url.searchParams,
    headers: { ...headers, authorization: headers['authorization'] ?? outer.headers['authorization'] },
    body: step.body,
    base: outer.base,
    isInBatch: true,
  })
}

function parseSteps(body: unknown): Step[] | string {
  const requests = (body as { requests?: unknown } | null | undefined)?.requests
  if (!Array.isArray(requests) || requests.length === 0) return "Invalid batch payload format: 'requests' is missing or empty."
  if (requests.length > stepsMax) return `Number of batch request steps exceeds the maximum value of ${stepsMax}.`
  const steps: Step[] = []
  const ids = new Set<string>()
  for (const raw of requests as Partial<Step>[]) {
    if (typeof raw.id !== 'string' || typeof raw.method !== 'string' || typeof raw.url !== 'string') {
      return "Invalid batch payload format: every request needs 'id', 'method' and 'url'."
    }
    if (ids.has(raw.id.toLowerCase())) return `Duplicate request id '${raw.id}' in the batch.`
    if (raw.body !== undefined && !Object.keys(raw.headers ?? {}).some((name) => name.toLowerCase() === 'content-type')) {
      return `Request '${raw.id}' has a body but no Content-Type header.`
    }
    ids.add(raw.id.toLowerCase())
    const { id, method, url } = raw
    steps.push({ id, method, url, headers: raw.headers ?? {}, body: raw.body, dependsOn: raw.dependsOn ?? [] })
  }
  return steps
}
