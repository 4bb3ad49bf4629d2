import { randomUUID } from 'node:crypto'
import type { GraphAnswer } from './graph-answer.ts'
import type { Tokens } from './tokens.ts'

export type LoginOptions = {
  tenantId: string
  tenantDomain: string
  clientId: string
  clientSecret: string
  tokens: Tokens
  /** Permissions granted at this moment: they become the token's roles. */
  roles: () => string[]
}

export type LoginRequest = {
  method: string
  segments: string[]
  query: URLSearchParams
  headers: Record<string, string | undefined>
  form: URLSearchParams
  /** http://host:port as the client wrote it. */
  origin: string
}

/** Resources of the four Graph clouds; the simulator's own address counts as one more. */
const graphResources = [
  'https://graph.microsoft.com',
  'https://graph.microsoft.us',
  'https://dod-graph.microsoft.us',
  'https://microsoftgraph.chinacloudapi.cn',
  '00000003-0000-0000-c000-000000000000',
]

/** The sign-in host: discovery documents and the client credentials grant. Undefined for a path it does not know. */
export function answerLogin(request: LoginRequest, options: LoginOptions): GraphAnswer | undefined {
  const path = request.segments.join('/').toLowerCase()
  if (path.endsWith('/discovery/instance')) return describeInstance(request)
  const tenant = request.segments[0] ?? ''
  const rest = request.segments.slice(1).join('/').toLowerCase()
  if (rest === 'v2.0/.well-known/openid-configuration' || rest === '.well-known/openid-configuration') {
    return isTenant(tenant, options) ? describeTenant(request, options) : refuseTenant(tenant)
  }
  if (rest !== 'oauth2/v2.0/token') return undefined
  if (request.method !== 'POST') {
    return refuseLogin(400, 'invalid_request', 900561, 'The endpoint only accepts POST requests. Received a GET request.')
  }
  return isTenant(tenant, options) ? grant(request, options) : refuseTenant(tenant)
}

function grant(request: LoginRequest, options: LoginOptions): GraphAnswer {
  const { form } = request
  const credentials = readCredentials(request)
  for (const name of ['grant_type', 'scope']) if (!form.has(name)) return refuseMissing(name)
  if (credentials.id === undefined) return refuseMissing('client_id')
  const grantType = form.get('grant_type') ?? ''
  if (grantType !== 'client_credentials') {
    return refuseLogin(400, 'unsupported_grant_type', 70003, `The app requested an unsupported grant type '${grantType}'.`)
  }
  if (credentials.id.toLowerCase() !== options.clientId.toLowerCase()) {
    const text = `Application with identifier '${credentials.id}' was not found in the directory 'Contoso'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`
    return refuseLogin(400, 'unauthorized_client', 700016, text)
  }
  if (form.has('client_assertion')) {
    const text = 'The certificate with identifier used to sign the client assertion is not registered on application.'
    return refuseLogin(401, 'invalid_client', 700027, text)
  }
  if (credentials.secret === undefined) {
    const text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
    return refuseLogin(401, 'invalid_client', 7000218, text)
  }
  if (credentials.secret !== options.clientSecret) {
    const text = `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${options.clientId}'.`
    return refuseLogin(401, 'invalid_client', 7000215, text)
  }
  return grantScope(request, options)
}

function grantScope({ form, origin }: LoginRequest, options: LoginOptions): GraphAnswer {
  const scopes = (form.get('scope') ?? '')
    .split(' ')
    .filter((scope) => !['openid', 'profile', 'offline_access'].includes(scope))
  const scope = scopes[0] ?? ''
  if (scopes.length !== 1 || !scope.endsWith('/.default')) {
    const text = `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`
    return refuseLogin(400, 'invalid_scope', 1002012, text)
  }
  const resource = scope.slice(0, -'/.default'.length)
  if (![...graphResources, origin].includes(resource.replace(/\/$/, ''))) {
    const text = `The resource principal named ${resource} was not found in the tenant named Contoso.`
    return refuseLogin(400, 'invalid_resource', 500011, text)
  }
  const { token, expiresIn } = options.tokens.issue(resource, options.roles())
  const body = { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token }
  return { status: 200, headers: { 'cache-control': 'no-store, no-cache', pragma: 'no-cache' }, body }
}

/** In the form, or as HTTP Basic (RFC 6749 §2.3.1). */
function readCredentials({ form, headers }: LoginRequest): { id: string | undefined; secret: string | undefined } {
  const basic = /^Basic +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (basic === undefined) return { id: form.get('client_id') ?? undefined, secret: form.get('client_secret') ?? undefined }
  const [id, ...secret] = Buffer.from(basic, 'base64').toString().split(':')
  return { id: decodeURIComponent(id ?? ''), secret: decodeURIComponent(secret.join(':')) }
}

function isTenant(tenant: string, options: LoginOptions): boolean {
  return [options.tenantId, options.tenantDomain].includes(tenant.toLowerCase())
}

function describeTenant({ origin }: LoginRequest, { tenantId }: LoginOptions): GraphAnswer {
  const base = `${origin}/${tenantId}`
  const body = {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    // The real issuer: MSAL refuses one that is neither https nor a known Microsoft host.
    issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
    request_uri_parameter_supported: false,
    userinfo_endpoint: `${origin}/oidc/userinfo`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
    http_logout_supported: true,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: new URL(origin).host,
    msgraph_host: new URL(origin).host,
  }
  return { status: 200, headers: {}, body }
}

function describeInstance({ origin, query }: LoginRequest): GraphAnswer {
  const asked = query.get('authorization_endpoint') ?? `${origin}/common/oauth2/v2.0/authorize`
  const tenant = URL.canParse(asked) ? (new URL(asked).pathname.split('/')[1] ?? 'common') : 'common'
  const host = new URL(origin).host
  const body = {
    tenant_discovery_endpoint: `${origin}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  }
  return { status: 200, headers: {}, body }
}

function refuseTenant(tenant: string): GraphAnswer {
  const text = `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`
  return refuseLogin(400, 'invalid_request', 90002, text)
}

function refuseMissing(parameter: string): GraphAnswer {
  return refuseLogin(400, 'invalid_request', 900144, `The request body must contain the following parameter: '${parameter}'.`)
}

function refuseLogin(status: number, error: string, code: number, text: string): GraphAnswer {
  const timestamp = new Date().toISOString().replace('T', ' ').replace(/\.\d+/, '')
  const traceId = randomUUID()
  const correlationId = randomUUID()
  const description = `AADSTS${code}: ${text} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`
  const body = {
    error,
    error_description: description,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  }
  return { status, headers: {}, body }
}
