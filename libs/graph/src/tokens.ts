import { ConfidentialClientApplication, type INetworkModule } from '@azure/msal-node'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { checkOrigin, isLoopback } from './check-origin.ts'
import { classifySignIn } from './classify.ts'
import type { GraphOptions } from './graph.ts'
import type { Transport } from './transport.ts'
import { untilAborted } from './until-aborted.ts'

export type Tokens = {
  /** An access token that still lives for a while. */
  read(signal: AbortSignal): Promise<string>
  /** A token other than the one that was refused. */
  replace(refused: string, signal: AbortSignal): Promise<string>
}

type Token = { readonly text: string; readonly freshUntil: number }
type TokensOptions = GraphOptions & {
  readonly transport: Transport
  readonly lifetime: AbortSignal
  readonly onRequest: () => void
}

const EARLY_MS_MAX = 300_000

/** Signs the application in with its secret. However many ask at once, one request goes out. */
export function createTokens(options: TokensOptions): Tokens {
  const authority = checkOrigin(options.authority, 'graph.authority')
  const endpoint = checkOrigin(options.endpoint, 'graph.endpoint')
  const network = createNetworkClient(authority, options)
  const { clientSecret } = options
  const createApplication = (secret: string) =>
    new ConfidentialClientApplication({
      auth: {
        clientId: options.clientId,
        // MSAL refuses plain http; for this machine the network client turns it back.
        authority: `https://${authority.host}/${encodeURIComponent(options.tenantId)}`,
        clientSecret: secret,
        knownAuthorities: [authority.host],
      },
      system: { networkClient: network.client, disableInternalRetries: true },
    })
  let application: { readonly secret: string; readonly client: ConfidentialClientApplication } | undefined
  // No tenant knows a resource on this machine: whatever stands there stands for Graph.
  const resource = isLoopback(endpoint) ? 'https://graph.microsoft.com' : endpoint.origin
  let current: Token | undefined
  let asking: Promise<Token> | undefined

  async function ask(): Promise<Token> {
    network.forgetFailure()
    const askedAt = Date.now()
    try {
      const secret = typeof clientSecret === 'function' ? clientSecret() : clientSecret
      if (application?.secret !== secret) application = { secret, client: createApplication(secret) }
      const result = await application.client.acquireTokenByClientCredential({
        scopes: [`${resource}/.default`],
        skipCache: true,
      })
      if (!result?.accessToken) throw new Error('Entra gave no token')
      const livesMs = Math.max(0, (result.expiresOn?.getTime() ?? 0) - askedAt)
      return { text: result.accessToken, freshUntil: askedAt + livesMs - Math.min(EARLY_MS_MAX, livesMs / 5) }
    } catch (error) {
      throw network.failure() ?? toSignInError(error)
    }
  }

  async function renew(signal: AbortSignal): Promise<string> {
    asking ??= ask()
      .then((token) => {
        current = token
        return token
      })
      .finally(() => {
        asking = undefined
      })
    return (await untilAborted(asking, signal)).text
  }

  return {
    read: async (signal) => (current !== undefined && Date.now() < current.freshUntil ? current.text : await renew(signal)),
    replace: async (refused, signal) =>
      current !== undefined && current.text !== refused ? current.text : await renew(signal),
  }
}

function toSignInError(error: unknown): PermanentError | RetryableError {
  const { errorCode, errorMessage } = error as { errorCode?: unknown; errorMessage?: unknown }
  return classifySignIn({ error: String(errorCode ?? 'unknown'), text: String(errorMessage ?? '') }, error)
}

function readRefusal(body: unknown): { error: string; text: string } {
  const { error, error_description: text } = (body ?? {}) as { error?: unknown; error_description?: unknown }
  return { error: String(error ?? 'unknown'), text: String(text ?? '') }
}

/**
 * MSAL over our transport. A failed connection or a busy server is remembered and thrown by us: MSAL would hide what kind it
 * was, and refuse by itself to ask again for a minute.
 */
function createNetworkClient(authority: URL, { transport, lifetime, onRequest }: TokensOptions) {
  let failure: PermanentError | RetryableError | undefined

  async function send<T>(
    method: 'GET' | 'POST',
    address: string,
    given: { headers?: Record<string, string>; body?: string } = {},
  ) {
    const url = new URL(address)
    if (url.host === authority.host) url.protocol = authority.protocol
    if (url.protocol !== 'https:' && url.origin !== authority.origin) {
      throw new PermanentError('graph-insecure', 'Entra sign-in leads to an address that is not https')
    }
    if (method === 'POST') onRequest()
    const answer = await transport.send(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: given.headers ?? {},
        body: given.body,
        service: 'Entra sign-in',
      },
      lifetime,
    )
    if (answer.status === 429 || answer.status >= 500 || answer.body === undefined) {
      const { status, retryAfterMs } = answer
      throw new RetryableError('graph-unavailable', `Entra sign-in is unavailable (HTTP ${status})`, {
        retryAfterMs,
        detail: { status },
      })
    }
    // MSAL says of a tenant it cannot look up that the network failed.
    if (method === 'GET' && answer.status >= 400) throw classifySignIn(readRefusal(answer.body), undefined)
    return { status: answer.status, body: answer.body as T, headers: {} }
  }

  async function remember<T>(sending: Promise<T>): Promise<T> {
    try {
      return await sending
    } catch (error) {
      if (error instanceof PermanentError || error instanceof RetryableError) failure = error
      throw error
    }
  }

  const client: INetworkModule = {
    sendGetRequestAsync: <T>(url: string, given?: { headers?: Record<string, string> }) => remember(send<T>('GET', url, given)),
    sendPostRequestAsync: <T>(url: string, given?: { headers?: Record<string, string>; body?: string }) =>
      remember(send<T>('POST', url, given)),
  }
  return {
    client,
    failure: () => failure,
    forgetFailure: () => {
      failure = undefined
    },
  }
}
