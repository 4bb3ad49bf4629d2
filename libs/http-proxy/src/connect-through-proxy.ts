import { isIP } from 'node:net'
import type { buildConnector } from 'undici'
import { openTunnel, type ProxyOptions } from './open-tunnel.ts'

/**
 * A connector of undici's whose sockets lead through `proxy`; `connect` does TLS over the tunnel, where the target wants it. Fails with
 * what `openTunnel` says within `timeoutMs`, or with what `connect` says.
 */
export function connectThroughProxy(
  proxy: ProxyOptions,
  { timeoutMs, connect }: { readonly timeoutMs: number; readonly connect: buildConnector.connector },
): buildConnector.connector {
  return (options, callback) => {
    openTunnel(proxy, targetOf(options), timeoutMs).then(
      (httpSocket) => {
        if (options.protocol === 'https:') connect({ ...options, httpSocket }, callback)
        else callback(null, httpSocket)
      },
      (error: Error) => callback(error, null),
    )
  }
}

function targetOf({ hostname, port, protocol }: buildConnector.Options): string {
  const host = hostname.replace(/^\[|\]$/g, '')
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port || (protocol === 'http:' ? '80' : '443')}`
}
