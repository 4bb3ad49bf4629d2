import type { ManagedDevice } from './graph.ts'
import { isRow, readId, readText } from './read-row.ts'

/** The properties asked for, and no others: Intune computes some of the rest one by one. */
export const MANAGED_DEVICE_SELECT = [
  'id',
  'userId',
  'userPrincipalName',
  'azureADDeviceId',
  'azureADRegistered',
  'deviceRegistrationState',
  'easActivated',
  'easDeviceId',
  'complianceState',
  'complianceGracePeriodExpirationDateTime',
  'managementAgent',
  'lastSyncDateTime',
  'operatingSystem',
  'model',
  'deviceName',
].join(',')

/** A row of managedDevices; undefined when it is not one. By hand, because a schema takes ten times as long for thousands of rows. */
export function parseManagedDevice(row: unknown): ManagedDevice | undefined {
  if (!isRow(row)) return undefined
  const device = {
    id: readId(row['id']),
    userId: readId(row['userId']),
    userPrincipalName: readId(row['userPrincipalName']),
    azureADDeviceId: readId(row['azureADDeviceId']),
    azureADRegistered: readFlag(row['azureADRegistered']),
    deviceRegistrationState: readId(row['deviceRegistrationState']),
    easActivated: readFlag(row['easActivated']),
    easDeviceId: readId(row['easDeviceId']),
    complianceState: readId(row['complianceState']),
    complianceGracePeriodExpirationDateTime: readMoment(row['complianceGracePeriodExpirationDateTime']),
    managementAgent: readId(row['managementAgent']),
    lastSyncDateTime: readMoment(row['lastSyncDateTime']),
    operatingSystem: readText(row['operatingSystem']),
    model: readText(row['model']),
    deviceName: readText(row['deviceName']),
  }
  for (const value of Object.values(device)) if (value === undefined) return undefined
  return device.id === '' ? undefined : (device as ManagedDevice)
}

/** Undefined when it is neither true nor false nor absent. */
function readFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  return value === null || value === undefined ? false : undefined
}

/** Null when there is none; Intune says never and for ever by the ends of .NET's calendar. */
function readMoment(value: unknown): Date | null {
  if (typeof value !== 'string' || value.startsWith('0001-01-01') || value.startsWith('9999-12-31')) return null
  const moment = new Date(value)
  return Number.isNaN(moment.getTime()) ? null : moment
}
