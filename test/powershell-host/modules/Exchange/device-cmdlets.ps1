$script:getMobileDeviceTask = 'Microsoft.Exchange.Management.Tasks.GetMobileDevice'

<#
.SYNOPSIS
The device partnerships: one by -Identity, those of a -Mailbox, else all.
#>
function Get-MobileDevice {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0)] [string] $Identity, [string] $Mailbox, [string] $Filter, [object] $ResultSize, [string] $SortBy,
        [string] $OrganizationalUnit, [string] $DomainController, [switch] $Monitoring, [switch] $ActiveSync,
        [switch] $OWAforDevices, [switch] $RestApi, [switch] $UniversalOutlook)
    if ($Identity -and $Mailbox) {
        $message = 'Parameter set cannot be resolved using the specified named parameters.'
        Stop-Binding 'Get-MobileDevice' 'AmbiguousParameterSet' $message ''
    }
    $organization = Get-Organization
    $devices = $organization.Devices
    if ($Identity) { $devices = @(Find-One $organization 'DeviceIndex' $getMobileDeviceTask $Identity) }
    elseif ($Mailbox) {
        $owner = Find-One $organization 'MailboxIndex' $getMobileDeviceTask $Mailbox
        $devices = $null -eq $owner ? @() : $owner.Devices
    }
    $filterable = 'ClientType', 'DeviceAccessControlRule', 'DeviceAccessState', 'DeviceAccessStateReason', 'DeviceActiveSyncVersion',
        'DeviceId', 'DeviceImei', 'DeviceMobileOperator', 'DeviceModel', 'DeviceOS', 'DeviceOSLanguage', 'DeviceTelephoneNumber',
        'DeviceType', 'DeviceUserAgent', 'FirstSyncTime', 'FriendlyName', 'ProvisioningFlags', 'UserDisplayName'
    Write-Object $devices 'Get-MobileDevice' $PSBoundParameters $filterable {
        $device = $args[0]
        New-MobileDevice $organization $device
        # The state lasts up to 14 minutes; here, until it has been seen once.
        $device.InDiscovery = $false
    }
}
