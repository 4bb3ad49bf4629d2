import { TLSSocket } from 'node:tls'
import { connectThroughProxy, type ProxyOptions } from '@gatehouse/http-proxy'
import { buildConnector } from 'undici'
import { type CertificateRules, checkCertificate } from './certificate.ts'

export type ConnectorOptions = {
  readonly certificate: CertificateRules
  readonly proxy?: ProxyOptions | undefined
  readonly connectTimeoutMs: number
}

/**
 * How the sockets of a shell are opened: directly or through a proxy, and used only after the server's certificate was
 * checked. Fails with what `checkCertificate` and `connectThroughProxy` say, or with the socket's own error.
 */
export function createConnector({ certificate, proxy, connectTimeoutMs }: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    // With a resumed session node does not compare the host name again, so there is none.
    maxCachedSessions: 0,
    // Only so that a refusal can name the certificate: checkCertificate refuses what node would have refused.
    rejectUnauthorized: false,
    ...(certificate.ca !== undefined && { ca: certificate.ca }),
  })
  const secure = (options: buildConnector.Options, callback: buildConnector.Callback) => {
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      const refusal = socket instanceof TLSSocket ? checkCertificate(socket, certificate) : undefined
      if (refusal === undefined) {
        callback(null, socket)
        return
      }
      socket.destroy()
      callback(refusal, null)
    })
  }
  return proxy === undefined ? secure : connectThroughProxy(proxy, { timeoutMs: connectTimeoutMs, connect: secure })
}
