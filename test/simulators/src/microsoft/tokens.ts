import { randomBytes } from 'node:crypto'
import { type GraphAnswer, refuse } from './graph-answer.ts'

export type Tokens = ReturnType<typeof createTokens>

/** Access tokens: the look of Microsoft's, valid because they are remembered. */
export function createTokens(options: { tenantId: string; clientId: string; now: () => number }) {
  const expiresAt = new Map<string, number>()
  let lifetimeSeconds = 3599

  return {
    setLifetime(seconds: number): void {
      lifetimeSeconds = seconds
    },
    revoke(): void {
      expiresAt.clear()
    },
    issue(audience: string, roles: string[]): { token: string; expiresIn: number } {
      const now = Math.floor(Date.now() / 1000)
      const claims = {
        aud: audience,
        iss: `https://sts.windows.net/${options.tenantId}/`,
        iat: now,
        nbf: now,
        exp: now + Math.ceil(lifetimeSeconds),
        appid: options.clientId,
        app_displayname: 'Gatehouse',
        idtyp: 'app',
        roles,
        tid: options.tenantId,
        ver: '1.0',
      }
      const parts = [
        encode({ typ: 'JWT', alg: 'RS256', kid: 'simulator' }),
        encode(claims),
        randomBytes(64).toString('base64url'),
      ]
      const token = parts.join('.')
      if (expiresAt.size > 10_000) expiresAt.clear()
      expiresAt.set(token, options.now() + lifetimeSeconds * 1000)
      return { token, expiresIn: lifetimeSeconds }
    },
    /** Undefined when the header's token opens the door. */
    refuseUnlessValid(authorization: string | undefined): GraphAnswer | undefined {
      const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
      if (token === undefined) return challenge('Access token is empty.')
      const end = expiresAt.get(token)
      if (end === undefined) return challenge('Access token validation failure. Invalid audience.')
      if (options.now() >= end) return challenge('Lifetime validation failed, the token is expired.')
      return undefined
    },
  }
}

function challenge(message: string): GraphAnswer {
  return refuse(401, 'InvalidAuthenticationToken', message, {
    'www-authenticate':
      'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"',
  })
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
