import { readLoadQuotaMs } from '@gatehouse/powershell'
import type { Fault, FaultScope } from './classify.ts'

export type FaultRow = {
  code: string
  kind: 'retryable' | 'permanent'
  scope: FaultScope
  /** Codes by which the engine has said already what it saw on the wire. */
  engineCodes?: readonly string[]
  /** Any one of these is enough. Texts come last of all: Exchange's wording is localised. */
  faultCodes?: readonly string[]
  transportCodes?: readonly string[]
  httpStatuses?: readonly number[]
  /** Parts of FullyQualifiedErrorId or of the exception's type, in lower case. */
  ids?: readonly string[]
  text?: RegExp
  /** How long Exchange asked us to stay away, out of its text. */
  retryAfterMs?: (fault: Fault) => number | undefined
  source: string
}

/** The first row that matches by code wins; only when none does, the first that matches by text. */
export const FAULT_TABLE: readonly FaultRow[] = [
  {
    code: 'exchange-shells-exhausted',
    kind: 'retryable',
    scope: 'account',
    engineCodes: ['wsman-shell-quota'],
    faultCodes: ['2150859173'],
    text: /maximum number of \d+ concurrent shells|maximum number of connections allowed: \d+/i,
    source: 'ERROR_WSMAN_QUOTA_MAX_SHELLS, powershell.md §3.5; texts of cloudiffic.com and windowspro.de, connector.md §3.2',
  },
  {
    code: 'shell-budget-exhausted',
    kind: 'retryable',
    scope: 'account',
    engineCodes: ['runspace-lease-unavailable'],
    source: 'design.md §6: the shells of an account are counted across all workers',
  },
  {
    code: 'exchange-operations-exhausted',
    kind: 'retryable',
    scope: 'account',
    engineCodes: ['wsman-operation-quota'],
    faultCodes: ['2150859174'],
    text: /maximum number of \d+ concurrent operations/i,
    source: 'ERROR_WSMAN_QUOTA_MAX_OPERATIONS, powershell.md §3.5',
  },
  {
    code: 'exchange-load-quota',
    kind: 'retryable',
    scope: 'account',
    engineCodes: ['wsman-load-quota'],
    ids: ['overbudgetexception'],
    text: /user load quota of \d+ requests per \d+ seconds has been exceeded/i,
    retryAfterMs: ({ message }) => readLoadQuotaMs(message),
    source: 'c7solutions.com 2010/01, connector.md §3.2',
  },
  {
    code: 'exchange-shell-lost',
    kind: 'retryable',
    scope: 'server',
    engineCodes: ['wsman-shell-not-found'],
    faultCodes: ['2150858843'],
    text: /FailureCategory=WSMan-InvalidShellID|shell was not found/i,
    source: 'microsoft/omi#523, techcommunity 604504, connector.md §3.2',
  },
  {
    code: 'exchange-endpoint-wrong',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['wsman-redirected', 'wsman-envelope-refused'],
    faultCodes: ['2150858811'],
    httpStatuses: [404],
    source: 'pypsrp#47 and #66: the path is /PowerShell/ on port 80 or 443, powershell.md §3.5',
  },
  {
    code: 'exchange-authentication-failed',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['wsman-unauthorized', 'wsman-negotiate-unavailable', 'wsman-mutual-authentication-failed'],
    httpStatuses: [401],
    source: 'RFC 9110 §15.5.2',
  },
  {
    code: 'exchange-access-denied',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['wsman-access-denied'],
    faultCodes: ['5'],
    httpStatuses: [403],
    text: /^(?:\[[^\]]*\] ?)*access is denied/i,
    source: 'ERROR_ACCESS_DENIED; the account needs RemotePowerShellEnabled, connector.md §2.1',
  },
  {
    code: 'exchange-certificate-untrusted',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['wsman-certificate-refused'],
    transportCodes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'CERT_UNTRUSTED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    source: 'nodejs.org/api/tls.html, X509 certificate error codes',
  },
  {
    code: 'exchange-unreachable',
    kind: 'retryable',
    scope: 'organization',
    engineCodes: ['wsman-connect-failed', 'proxy-unreachable', 'proxy-target-unreachable', 'wsman-negotiate-failed'],
    transportCodes: [
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'ENOTFOUND',
      'EAI_AGAIN',
      'ETIMEDOUT',
      'UND_ERR_CONNECT_TIMEOUT',
    ],
    source: 'nodejs.org/api/errors.html, common system errors; undici docs/api/Errors.md',
  },
  {
    code: 'exchange-proxy-refused',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['proxy-refused'],
    source: 'RFC 9110 §15.5.8 and §9.3.6',
  },
  {
    code: 'powershell-unusable',
    kind: 'permanent',
    scope: 'organization',
    engineCodes: ['powershell-not-found'],
    source: 'libs/powershell README: the host engine and stdio start a PowerShell of this machine',
  },
  {
    code: 'exchange-unavailable',
    kind: 'retryable',
    scope: 'organization',
    httpStatuses: [502, 503, 504],
    source: 'RFC 9110 §15.6: a load balancer without a server behind it answers so',
  },
  {
    code: 'exchange-connection-lost',
    kind: 'retryable',
    scope: 'server',
    engineCodes: [
      'wsman-connection-lost',
      'wsman-http-timeout',
      'wsman-envelope-too-large',
      'powershell-exited',
      'powershell-malformed',
    ],
    transportCodes: ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
    source: 'nodejs.org/api/errors.html, common system errors; undici docs/api/Errors.md',
  },
  {
    code: 'cmdlet-not-permitted',
    kind: 'permanent',
    scope: 'organization',
    ids: ['commandnotfoundexception'],
    source: 'RBAC hides what an account may not run: PS reference pages, connector.md §2.1',
  },
  {
    code: 'parameter-not-permitted',
    kind: 'permanent',
    scope: 'organization',
    ids: ['namedparameternotfound', 'parameterbindingexception'],
    source: 'RBAC hides parameters too: PS reference pages, connector.md §2.1',
  },
  {
    code: 'script-refused',
    kind: 'permanent',
    scope: 'organization',
    ids: ['scriptsnotallowed'],
    text: /runspace is in no-language mode|Script invocation is not supported in this session configuration/i,
    source: 'PowerShell ParserStrings.resx and RunspaceStrings.resx, connector.md §3.2',
  },
  {
    code: 'administrative-limit-exceeded',
    kind: 'permanent',
    scope: 'mailbox',
    ids: ['adminlimitexceeded', 'administrativelimitexceeded'],
    text: /administrative limit for this request was exceeded/i,
    source: 'Active Directory, about 1,200 values per object: connector.md §2.7',
  },
  {
    code: 'exchange-object-not-found',
    kind: 'permanent',
    scope: 'mailbox',
    ids: ['managementobjectnotfoundexception'],
    text: /couldn't be found on|object could not be found/i,
    source: 'connector.md §3.2',
  },
  {
    code: 'exchange-object-ambiguous',
    kind: 'permanent',
    scope: 'mailbox',
    ids: ['managementobjectambiguousexception'],
    source: 'connector.md §3.2',
  },
  {
    code: 'exchange-directory-busy',
    kind: 'retryable',
    scope: 'mailbox',
    ids: ['adtransientexception', 'datasourcetransientexception', 'suitabilitydirectoryexception', 'serverunavailable'],
    text: /transient|try again later|domain controller .* (?:is not available|could not be contacted)|directory .* (?:busy|unavailable)/i,
    source: 'Microsoft.Exchange.Data.Directory exception names; not documented, so a text row stands in',
  },
]
