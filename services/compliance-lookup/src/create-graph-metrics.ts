import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Counter, Gauge, type Registry } from '@gatehouse/worker'

/** Sign-in, permissions and the proxy on the way: what only an administrator can put right. The alert names the same ones. */
const SIGN_IN_CODES = [
  'graph-credentials-invalid',
  'graph-application-unknown',
  'graph-tenant-unknown',
  'graph-endpoint-unknown',
  'graph-sign-in-blocked',
  'graph-sign-in-refused',
  'graph-unauthorized',
  'graph-permission-missing',
  'graph-proxy-refused',
]
const OTHER = 'other'
const CODES = [
  ...SIGN_IN_CODES,
  'graph-throttled',
  'graph-unavailable',
  'graph-answer-shrunk',
  'graph-certificate-refused',
  'graph-group-unknown',
  OTHER,
]

export type GraphMetricsOptions = {
  readonly requestCounts: () => { readonly graph: number; readonly token: number; readonly throttled: number }
  /** A day, as `2027-05-31`. */
  readonly clientSecretExpires: string | undefined
  readonly nowMs: () => number
}

/** What is asked of Graph, and why a refresh failed. @returns what takes note of a failure. */
export function createGraphMetrics(registry: Registry, options: GraphMetricsOptions): (error: unknown) => void {
  const registers = [registry]
  const counted = (name: string, help: string, of: 'graph' | 'token' | 'throttled'): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(options.requestCounts()[of])
      },
    })
  }
  counted('gatehouse_graph_requests_total', 'Requests to Microsoft Graph', 'graph')
  counted('gatehouse_graph_throttled_total', 'Requests that Graph has answered with 429', 'throttled')
  counted('gatehouse_graph_token_requests_total', 'Requests for an access token', 'token')
  const { clientSecretExpires } = options
  if (clientSecretExpires !== undefined)
    new Gauge({
      name: 'gatehouse_graph_client_secret_expires_seconds',
      help: 'Until the client secret expires, as graph.clientSecretExpires says; without that setting there is no series',
      registers,
      collect() {
        this.set((Date.parse(clientSecretExpires) - options.nowMs()) / 1_000)
      },
    })
  const failures = new Counter({
    name: 'gatehouse_graph_failures_total',
    help: 'Refreshes from Graph that failed, by the code of the error',
    labelNames: ['code'],
    registers,
  })
  for (const code of CODES) failures.inc({ code }, 0)
  return (error) => {
    const code = error instanceof PermanentError || error instanceof RetryableError ? error.code : OTHER
    failures.inc({ code: CODES.includes(code) ? code : OTHER })
  }
}
