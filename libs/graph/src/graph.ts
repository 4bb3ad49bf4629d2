import type { ProxyOptions } from '@gatehouse/http-proxy'
import type { Tracer } from '@gatehouse/tracing'

/** Where the log lines go; a pino logger fits. */
export type GraphLog = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>>

export type GraphOptions = {
  readonly tenantId: string
  readonly clientId: string
  /** A function is asked for it at each sign-in. */
  readonly clientSecret: string | (() => string)
  /** Sign-in host, such as `https://login.microsoftonline.com`. Plain http on loopback only. */
  readonly authority: string
  /** Graph host without version, such as `https://graph.microsoft.com`. Plain http on loopback only. */
  readonly endpoint: string
  /** PEM of the certificate authorities to trust instead of the built-in ones. */
  readonly ca?: string
  /** An HTTP proxy on the way to both hosts. */
  readonly proxy?: ProxyOptions | undefined
  /** For a connection, and for the tunnel before it. Default 10 s. */
  readonly connectMs?: number
  readonly log: GraphLog
  /** Where each request has a span of its own. */
  readonly tracer?: Tracer
  readonly userAgent?: string
}

/** The fields of an Intune managedDevice that are used; a text that is absent is `''`. */
export type ManagedDevice = {
  readonly id: string
  readonly userId: string
  readonly userPrincipalName: string
  readonly azureADDeviceId: string
  readonly azureADRegistered: boolean
  readonly deviceRegistrationState: string
  readonly easActivated: boolean
  readonly easDeviceId: string
  readonly complianceState: string
  /** Null when there is none: Intune then answers 0001-01-01 or 9999-12-31. */
  readonly complianceGracePeriodExpirationDateTime: Date | null
  readonly managementAgent: string
  /** When Intune heard from the device last. */
  readonly lastSyncDateTime: Date | null
  readonly operatingSystem: string
  readonly model: string
  readonly deviceName: string
}

export type DirectoryUser = {
  readonly id: string
  readonly userPrincipalName: string
  readonly mail: string
  /** Holds an enabled Intune plan. */
  readonly licensed: boolean
  readonly preferredLanguage: string | null
}

export type ManagedDevicesRead = { readonly devices: ManagedDevice[]; readonly rejected: number }
export type DevicesDelta = {
  readonly azureADDeviceIds: string[]
  readonly deltaLink: string
  /** The link is too old: changes were missed, and everything must be read again. */
  readonly expired?: boolean
}

/**
 * What Gatehouse reads from Microsoft Graph. Nothing here waits out a throttling: a 429 is thrown as
 * `RetryableError('graph-throttled')` with `retryAfterMs`, and until then the same request is refused without being sent.
 *
 * Every method may throw what README.md lists, and the signal's reason when it aborts.
 */
export interface Graph extends AsyncDisposable {
  /**
   * Every managed device. `walk` names the walk (a sync run): when a page is throttled or fails, the next call with the same
   * name goes on from that page. `rejected` counts rows that could not be read.
   */
  readManagedDevices(walk: string, signal: AbortSignal): Promise<ManagedDevicesRead>
  /** Every user in the group, through nested groups as well. Goes on like readManagedDevices. */
  readGroupMembers(walk: string, groupId: string, signal: AbortSignal): Promise<DirectoryUser[]>
  /**
   * A delta link from now on, without reading the devices there are. To be called before the lists that it complements: while
   * rows of an interrupted walk are kept, it answers the link from before them.
   */
  startDevicesDelta(signal: AbortSignal): Promise<string>
  /**
   * The Entra devices that changed since the link was made; those removed from Entra show no device id and are not among them.
   * When a read that followed was throttled, the same link answers the same again, and that read goes on.
   */
  readDevicesDelta(deltaLink: string, signal: AbortSignal): Promise<DevicesDelta>
  /** The managed devices of these users. `complete` names the users that were answered: the others have said nothing. */
  readManagedDevicesOfUsers(
    userIds: readonly string[],
    signal: AbortSignal,
  ): Promise<{ devices: ManagedDevice[]; complete: string[] }>
  /** The ids of the users who own managed devices with these Entra device ids. */
  readUsersOfDevices(azureADDeviceIds: readonly string[], signal: AbortSignal): Promise<string[]>
  /** Requests sent so far; a batch is one. `throttled` counts the 429 answers, those inside a batch included. */
  requestCounts(): { graph: number; token: number; throttled: number }
}
