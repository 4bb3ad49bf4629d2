import type { MicrosoftSimulator } from '../src/microsoft/start-microsoft-simulator.ts'

// biome-ignore lint/suspicious/noExplicitAny: the answers are looked at, not computed with.
type Json = any

/** A client that asks as it is told, well or badly. */
export function createClient(simulator: MicrosoftSimulator) {
  let token: string | undefined
  async function signIn(changes: Record<string, string> = {}, tenant = simulator.tenantId) {
    const form = {
      grant_type: 'client_credentials',
      client_id: simulator.clientId,
      client_secret: simulator.clientSecret,
      scope: 'https://graph.microsoft.com/.default',
      ...changes,
    }
    const response = await fetch(`${simulator.authority}/${tenant}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    const body = (await response.json()) as Json
    token = body.access_token ?? token
    return { status: response.status, body }
  }
  async function get(path: string, headers: Record<string, string> = {}) {
    if (token === undefined) await signIn()
    const url = path.startsWith('http') ? path : `${simulator.endpoint}/v1.0${path}`
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}`, ...headers } })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Json }
  }
  async function walk(path: string, headers: Record<string, string> = {}) {
    const rows: Json[] = []
    let pages = 0
    for (let next: string | undefined = path; next !== undefined; pages += 1) {
      const { body } = await get(next, headers)
      rows.push(...body.value)
      next = body['@odata.nextLink']
    }
    return { rows, pages }
  }
  async function post(path: string, body: unknown) {
    const response = await fetch(`${simulator.endpoint}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Json }
  }
  const state = async () => (await (await fetch(`${simulator.endpoint}/__simulator/state`)).json()) as Json
  return { signIn, get, walk, post, state }
}
