import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export type Scripted = {
  url: string
  /** `GET /path` of every request to Graph, in order. */
  requests: string[]
  tokens: () => number
  /** What came in Proxy-Authorization, which is for the proxy alone. */
  credentials: string[]
  stop(): Promise<void>
}

type Script = (request: IncomingMessage, response: ServerResponse, o: { url: string; count: number }) => void

/** A server that signs everybody in and answers Graph by a script; with a certificate over TLS. */
export async function startScriptedGraph(script: Script, tls?: { key: string; cert: string }): Promise<Scripted> {
  const requests: string[] = []
  const credentials: string[] = []
  let tokens = 0
  const answer: RequestListener = (request, response) => {
    request.resume()
    const forProxy = request.headers['proxy-authorization']
    if (forProxy !== undefined) credentials.push(forProxy)
    const path = request.url ?? ''
    if (path.includes('/oauth2/v2.0/token')) {
      tokens += 1
      return answerJson(response, { token_type: 'Bearer', expires_in: 3599, access_token: `token-${tokens}` })
    }
    if (path.includes('openid-configuration')) return answerJson(response, describeTenant(url))
    requests.push(`${request.method} ${path}`)
    script(request, response, { url, count: requests.length })
  }
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    requests,
    credentials,
    tokens: () => tokens,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export function answerJson(response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function describeTenant(url: string) {
  return {
    token_endpoint: `${url}/t/oauth2/v2.0/token`,
    authorization_endpoint: `${url}/t/oauth2/v2.0/authorize`,
    end_session_endpoint: `${url}/t/oauth2/v2.0/logout`,
    jwks_uri: `${url}/t/discovery/v2.0/keys`,
    issuer: 'https://login.microsoftonline.com/t/v2.0',
  }
}
