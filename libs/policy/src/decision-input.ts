/** What Exchange lets a device do. */
export type AccessLevel = 'allow' | 'block' | 'quarantine'

/** One managedDevice of Intune that carries the partnership's EAS id, whoever it belongs to. */
export type ManagedDeviceFacts = {
  readonly id: string
  readonly userId: string
  readonly easDeviceId: string
  readonly easActivated: boolean
  readonly azureAdRegistered: boolean
  readonly deviceRegistrationState: string
  readonly complianceState: string
  readonly complianceGraceExpiresAt: Date | null
  readonly managementAgent: string
  /** When Intune heard from the device last; null: never, or not known. */
  readonly lastSyncDateTime: Date | null
}

/** The Entra users whose name or mail is the mailbox's address: exactly one is needed. */
export type MailboxUser =
  | { readonly found: 'none' | 'several' }
  | {
      readonly found: 'one'
      readonly id: string
      readonly licensed: boolean
      readonly included: boolean
      readonly excluded: boolean
    }

export type PlatformException = {
  readonly characteristic: 'DeviceType' | 'DeviceModel'
  readonly queryString: string
  readonly accessLevel: AccessLevel
}

/** Everything that one decision is made from. */
export type DecisionInput = {
  readonly policy: {
    readonly enabled: boolean
    readonly overrideDefaultRule: boolean
    /** What complianceState `unknown` and `configManager` count as. */
    readonly unknownCompliance: 'compliant' | 'noncompliant'
  }
  readonly now: Date
  readonly user: MailboxUser
  readonly device: { readonly deviceId: string; readonly deviceType: string; readonly deviceModel: string }
  readonly managedDevices: readonly ManagedDeviceFacts[]
  /** An entry for this device in one of the mailbox's lists that is not ours. */
  readonly adminExemption: 'allow' | 'block' | undefined
  readonly organization: {
    readonly defaultAccessLevel: AccessLevel
    readonly platformExceptions: readonly PlatformException[]
  }
}
