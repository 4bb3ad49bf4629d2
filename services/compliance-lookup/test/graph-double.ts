import type { DevicesDelta, DirectoryUser, Graph, ManagedDevice } from '@gatehouse/graph'

/** Stands for Intune and Entra: what they hold, what the change feed says, and which read is to fail. */
export class GraphDouble implements Graph {
  devices: ManagedDevice[] = []
  readonly groups = new Map<string, DirectoryUser[]>()
  /** What the change feed says next; undefined: the link has expired. */
  changedDeviceIds: string[] | undefined = []
  /** Devices that the next reads leave out, as Graph sometimes does. */
  readonly leftOut = new Set<string>()
  /** Thrown by the next read of managed devices. */
  failure: Error | undefined
  /** Resolves when a read of managed devices has begun. */
  readonly reading: Promise<void>
  readonly calls: string[] = []
  readonly #begin: () => void
  #hold: Promise<void> = Promise.resolve()
  #links = 0

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.reading = promise
    this.#begin = resolve
  }

  /** Reads of managed devices wait from now on, until what is returned is called. */
  holdReads(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#hold = promise
    return resolve
  }

  async readManagedDevices(): Promise<{ devices: ManagedDevice[]; rejected: number }> {
    this.calls.push('managedDevices')
    this.#begin()
    await this.#hold
    this.#failOnce()
    return { devices: this.#listed(), rejected: 0 }
  }

  readGroupMembers(_walk: string, groupId: string): Promise<DirectoryUser[]> {
    this.calls.push(`members ${groupId}`)
    return Promise.resolve([...(this.groups.get(groupId) ?? [])])
  }

  startDevicesDelta(): Promise<string> {
    this.calls.push('delta latest')
    return Promise.resolve(this.#nextLink())
  }

  readDevicesDelta(deltaLink: string): Promise<DevicesDelta> {
    this.calls.push(`delta ${deltaLink}`)
    const ids = this.changedDeviceIds
    if (ids === undefined) return Promise.resolve({ azureADDeviceIds: [], deltaLink: '', expired: true })
    return Promise.resolve({ azureADDeviceIds: [...ids], deltaLink: this.#nextLink() })
  }

  async readManagedDevicesOfUsers(userIds: readonly string[]): Promise<{ devices: ManagedDevice[]; complete: string[] }> {
    this.calls.push(`devices of ${[...userIds].sort().join(' ')}`)
    await this.#hold
    this.#failOnce()
    return { devices: this.#listed().filter((device) => userIds.includes(device.userId)), complete: [...userIds] }
  }

  readUsersOfDevices(ids: readonly string[]): Promise<string[]> {
    this.calls.push('users of devices')
    return Promise.resolve(this.devices.filter((one) => ids.includes(one.azureADDeviceId)).map((one) => one.userId))
  }

  requestCounts(): { graph: number; token: number; throttled: number } {
    return { graph: this.calls.length, token: 0, throttled: 0 }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #listed(): ManagedDevice[] {
    return this.devices.filter((device) => !this.leftOut.has(device.id))
  }

  #failOnce(): void {
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
  }

  #nextLink(): string {
    this.#links += 1
    return `link-${this.#links}`
  }
}

/** A compliant, registered phone of this user with this EAS id. */
export function managedPhone(userId: string, easDeviceId: string, change: Partial<ManagedDevice> = {}): ManagedDevice {
  return {
    id: `managed-${easDeviceId}`,
    userId,
    userPrincipalName: `${userId}@contoso.example`,
    azureADDeviceId: `entra-${easDeviceId}`,
    azureADRegistered: true,
    deviceRegistrationState: 'registered',
    easActivated: true,
    easDeviceId,
    complianceState: 'compliant',
    complianceGracePeriodExpirationDateTime: null,
    managementAgent: 'mdm',
    lastSyncDateTime: new Date('2026-11-24T08:00:00Z'),
    operatingSystem: 'iOS',
    model: 'iPhone 15',
    deviceName: 'Phone',
    ...change,
  }
}

export function directoryUser(id: string, change: Partial<DirectoryUser> = {}): DirectoryUser {
  const address = `${id}@contoso.example`
  return { id, userPrincipalName: address, mail: address, licensed: true, preferredLanguage: 'en', ...change }
}
