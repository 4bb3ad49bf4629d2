import { PermanentError, RetryableError } from '@gatehouse/messages'

/** One negotiation of one socket with one server (GSS-API). Tokens are base64. */
export interface SecurityContext {
  /** The next token for the server; undefined when there is none. Throws when the server's token is not what it should be. */
  step(fromServer: string | undefined): Promise<string | undefined>
  /** Both sides have proved who they are. */
  readonly isComplete: boolean
}

/** `negotiate` is SPNEGO (RFC 4178), `kerberos` the bare Kerberos mechanism, for servers that only offer that scheme. */
export type Mechanism = 'negotiate' | 'kerberos'

export type CreateSecurityContext = (target: {
  /** Its service principal is HTTP at this host. */
  readonly host: string
  readonly mechanism: Mechanism
  /** Undefined: whoever the credential cache, the keytab or the Windows session says. */
  readonly user: string | undefined
  readonly password: string | undefined
}) => Promise<SecurityContext>

type KerberosClient = { step(challenge: string): Promise<string | null>; readonly contextComplete: boolean }
type KerberosPackage = {
  initializeClient(service: string, options: Record<string, unknown>): Promise<KerberosClient>
  readonly GSS_MECH_OID_SPNEGO: number
  readonly GSS_MECH_OID_KRB5: number
  readonly GSS_C_MUTUAL_FLAG: number
  readonly GSS_C_REPLAY_FLAG: number
  readonly GSS_C_SEQUENCE_FLAG: number
}

// Not a literal: the package is optional, and neither the compiler nor node may look for it before it is wanted.
const PACKAGE: string = 'kerberos'
/** What GSS-API, SSPI and KDCs say of credentials that will not do; trying again would bring the account closer to its lockout. */
const REFUSED =
  /no (kerberos )?credentials|preauthentication failed|not found in kerberos database|logon (attempt )?failed|logon denied|clients credentials have been revoked|key table/i

/**
 * Security contexts of the npm package `kerberos` 7, which is loaded at the first one: GSS-API, or SSPI on Windows. GSS-API
 * takes no password: there the account comes from a credential cache or a client keytab. A context throws
 * PermanentError('wsman-negotiate-unavailable') without the package, PermanentError('wsman-unauthorized') for credentials
 * that are missing or refused, and RetryableError('wsman-negotiate-failed') for everything else, such as a KDC that does not answer.
 */
export function createKerberosContexts(
  load: () => Promise<unknown> = () => import(PACKAGE),
  platform: string = process.platform,
): CreateSecurityContext {
  let loading: Promise<KerberosPackage> | undefined
  return async ({ host, mechanism, user, password }) => {
    loading ??= loadKerberos(load)
    const kerberos = await loading
    const client = await kerberos
      // SSPI wants a service principal name, GSS-API a host-based service.
      .initializeClient(platform === 'win32' ? `HTTP/${host}` : `HTTP@${host}`, {
        mechOID: mechanism === 'negotiate' ? kerberos.GSS_MECH_OID_SPNEGO : kerberos.GSS_MECH_OID_KRB5,
        // Mutual: the server must prove that it holds the service's key.
        gssFlags: kerberos.GSS_C_MUTUAL_FLAG | kerberos.GSS_C_REPLAY_FLAG | kerberos.GSS_C_SEQUENCE_FLAG,
        ...(user !== undefined && user !== '' && accountOf(user, password)),
      })
      .catch((error: unknown) => {
        throw negotiationError(error)
      })
    return {
      get isComplete() {
        return client.contextComplete
      },
      step: async (fromServer) => {
        try {
          return (await client.step(fromServer ?? '')) || undefined
        } catch (error) {
          throw negotiationError(error)
        }
      },
    }
  }
}

/** SSPI wants the parts of `DOMAIN\user`; GSS-API wants one principal. */
function accountOf(user: string, password: string | undefined): Record<string, string> {
  if (password === undefined || password === '') return { principal: user }
  const backslash = user.indexOf('\\')
  if (backslash < 0) return { user, password, principal: user }
  return { user: user.slice(backslash + 1), domain: user.slice(0, backslash), password }
}

async function loadKerberos(load: () => Promise<unknown>): Promise<KerberosPackage> {
  try {
    const loaded = (await load()) as { default?: KerberosPackage } & KerberosPackage
    return loaded.default ?? loaded
  } catch (error) {
    throw new PermanentError(
      'wsman-negotiate-unavailable',
      "Negotiate needs the optional package kerberos, which is not there or does not load: run 'npm install kerberos@7.0.0' " +
        '(on Linux it is built from source: install libkrb5-dev, a C++ compiler and make first)',
      { cause: error, detail: { sent: false } },
    )
  }
}

function negotiationError(error: unknown): PermanentError | RetryableError {
  const text = error instanceof Error ? error.message : String(error)
  const options = { cause: error, detail: { sent: false } }
  if (REFUSED.test(text)) return new PermanentError('wsman-unauthorized', `Negotiate is not possible: ${text}`, options)
  return new RetryableError('wsman-negotiate-failed', `Negotiate failed: ${text}`, options)
}
