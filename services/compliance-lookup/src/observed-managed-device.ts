import type { ManagedDevice } from '@gatehouse/graph'
import { easIdKey } from '@gatehouse/policy'
import type { ObservedManagedDevice } from '@gatehouse/store'

/** A managed device of Intune as it is stored. */
export function observedManagedDeviceOf(device: ManagedDevice): ObservedManagedDevice {
  return {
    id: device.id,
    user_id: device.userId,
    user_principal_name: device.userPrincipalName,
    azure_ad_device_id: device.azureADDeviceId,
    azure_ad_registered: device.azureADRegistered,
    device_registration_state: device.deviceRegistrationState,
    eas_activated: device.easActivated,
    eas_device_id: device.easDeviceId,
    eas_device_id_key: easIdKey(device.easDeviceId),
    compliance_state: device.complianceState,
    compliance_grace_expires_at: device.complianceGracePeriodExpirationDateTime,
    management_agent: device.managementAgent,
    last_sync_at: device.lastSyncDateTime,
    operating_system: device.operatingSystem,
    model: device.model,
    device_name: device.deviceName,
  }
}
