import { isCompliantInEntra } from '../population/invent-managed-device.ts'
import type { ComplianceState, EntraDevice, ManagedDeviceRow, Population, Truth } from '../population/population.ts'

/** What happens to a device in Intune. `device`: managed device id, EAS device id or Entra device id. */
export type PopulationChange = {
  device: string
  complianceState?: ComplianceState
  easActivated?: boolean
  /** Whether the device is registered in Entra. */
  registered?: boolean
  /** false: the device is retired and its row gone. */
  enrolled?: false
}

export type ChangedDevice = {
  managedDeviceId: string
  azureADDeviceId: string
  easDeviceId: string
  /** Partnerships (guids) whose truth this device settles. */
  partnerships: { guid: string; truth: Truth }[]
}

const complianceStates: readonly string[] = [
  'unknown',
  'compliant',
  'noncompliant',
  'conflict',
  'error',
  'inGracePeriod',
  'configManager',
]

/** Throws an Error that says what is wrong with it. */
export function parsePopulationChange(value: unknown): PopulationChange {
  const change = value as Partial<Record<keyof PopulationChange, unknown>> | null
  if (typeof change !== 'object' || change === null || typeof change.device !== 'string' || change.device.trim() === '')
    throw new Error('device: must be an id')
  for (const key of Object.keys(change)) {
    if (!['device', 'complianceState', 'easActivated', 'registered', 'enrolled'].includes(key))
      throw new Error(`${key}: unknown`)
  }
  if (change.complianceState !== undefined && !complianceStates.includes(String(change.complianceState))) {
    throw new Error(`complianceState: ${String(change.complianceState)} is not one of ${complianceStates.join(', ')}`)
  }
  for (const key of ['easActivated', 'registered'] as const) {
    if (change[key] !== undefined && typeof change[key] !== 'boolean') throw new Error(`${key}: must be true or false`)
  }
  if (change.enrolled !== undefined && change.enrolled !== false) throw new Error('enrolled: only false is possible')
  return change as PopulationChange
}

/** Changes the managed devices meant, their Entra twins (`noteChanged` hears of each) and the truth of their partnerships. */
export function changePopulation(
  population: Population,
  change: PopulationChange,
  noteChanged: (device: EntraDevice) => void,
): ChangedDevice[] {
  const wanted = normalize(change.device)
  const rows = population.managedDevices.filter((row) =>
    [row.id, row.easDeviceId, row.azureADDeviceId].some((id) => normalize(id) === wanted),
  )
  return rows.map((row) => {
    changeRow(row, change)
    if (change.enrolled === false) population.managedDevices.splice(population.managedDevices.indexOf(row), 1)
    const twin = population.entraDevices.find((device) => device.deviceId === row.azureADDeviceId)
    if (twin !== undefined) {
      twin.isManaged = change.enrolled !== false
      twin.isCompliant = twin.isManaged && isCompliantInEntra(row.complianceState)
      noteChanged(twin)
    }
    const { id: managedDeviceId, azureADDeviceId, easDeviceId } = row
    return { managedDeviceId, azureADDeviceId, easDeviceId, partnerships: changeTruth(population, row, change) }
  })
}

function changeRow(row: ManagedDeviceRow, change: PopulationChange): void {
  if (change.complianceState !== undefined) row.complianceState = change.complianceState
  if (change.easActivated !== undefined) row.easActivated = change.easActivated
  if (change.registered !== undefined) {
    row.azureADRegistered = change.registered
    row.deviceRegistrationState = change.registered ? 'registered' : 'notRegistered'
  }
}

function changeTruth(population: Population, row: ManagedDeviceRow, change: PopulationChange): ChangedDevice['partnerships'] {
  const changed: ChangedDevice['partnerships'] = []
  for (const [guid, truth] of population.truth) {
    if (truth.managedDeviceId !== row.id) continue
    if (truth.settledBy === 'device')
      Object.assign(truth, change.enrolled === false ? judgeDevice(undefined) : judgeDevice(row))
    changed.push({ guid, truth })
  }
  return changed
}

/** What becomes of a targeted person's device, from its row alone. The rolls of device-case.ts must agree (tested). */
export function judgeDevice(row: ManagedDeviceRow | undefined): Pick<Truth, 'access' | 'list' | 'why'> {
  const block = (why: string) => ({ access: 'block' as const, list: 'block' as const, why })
  if (row === undefined) return block('not-enrolled')
  if (row.easDeviceId.trim() === '') return block('eas-id-missing')
  if (!row.easActivated) return block('eas-not-activated')
  if (!row.azureADRegistered) return block('not-registered')
  if (row.complianceState === 'compliant' || row.complianceState === 'inGracePeriod') {
    return { access: 'allow', list: 'allow', why: row.complianceState === 'compliant' ? 'compliant' : 'in-grace-period' }
  }
  return block(row.complianceState === 'configManager' ? 'config-manager' : row.complianceState)
}

function normalize(id: string): string {
  return id.trim().toLowerCase()
}
