$script:configurationTasks = 'Microsoft.Exchange.Management.SystemConfigurationTasks'
$script:mobileTasks = 'Microsoft.Exchange.Management.Tasks'
$script:systemTypes = 'Microsoft.Exchange.Data.Directory.SystemConfiguration'

# Those of that name, by any of the properties named; all without one.
function Select-Named($Organization, [string] $Task, $Objects, [string] $Identity, [string[]] $By = @('Name', 'Guid')) {
    if (-not $Identity) { return $Objects }
    $found = @(foreach ($each in $Objects) { foreach ($name in $By) { if ("$($each.$name)" -eq $Identity) { $each; break } } })
    if ($found.Count -eq 0) { Write-NotFound $Organization $Task $Identity }
    $found
}

<#
.SYNOPSIS
The Exchange servers of the organisation.
#>
function Get-ExchangeServer {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Identity, [string] $Domain, [switch] $Status, [string] $DomainController)
    $organization = Get-Organization
    $servers = foreach ($server in $organization.Servers) {
        $isMailbox = $server.serverRole -match 'Mailbox'
        New-ConfigurationObject $organization 'Microsoft.Exchange.Data.Directory.Management.ExchangeServer' $server.name ([ordered] @{
                DataPath = 'C:\Program Files\Microsoft\Exchange Server\V15\Mailbox'; Domain = $organization.Domain
                Edition = $server.edition; Fqdn = $server.fqdn; IsHubTransportServer = $true
                IsClientAccessServer = $isMailbox -or $server.serverRole -match 'ClientAccess'; IsExchange2007OrLater = $true
                IsEdgeServer = $server.serverRole -eq 'Edge'; IsMailboxServer = $isMailbox; IsE14OrLater = $true; IsE15OrLater = $true
                NetworkAddress = [string[]] @("ncacn_ip_tcp:$($server.fqdn)", "netbios:$($server.name)"); ServerRole = $server.serverRole
                AdminDisplayVersion = $server.adminDisplayVersion; Site = $server.site
                DistinguishedName = $server.distinguishedName; Guid = [guid] $server.guid
            })
    }
    Select-Named $organization "$configurationTasks.GetExchangeServer" $servers $Identity @('Name', 'Fqdn', 'Guid', 'DistinguishedName')
}

<#
.SYNOPSIS
What becomes of devices that no list and no rule speaks of.
#>
function Get-ActiveSyncOrganizationSettings {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Identity, [string] $DomainController)
    $organization = Get-Organization
    $name = 'Mobile Mailbox Settings'
    New-ConfigurationObject $organization "$systemTypes.ActiveSyncOrganizationSettings" $name ([ordered] @{
            DefaultAccessLevel = $organization.DefaultLevel; UserMailInsert = ''; AllowAccessForUnSupportedPlatform = $false
            AdminMailRecipients = [string[]] @(); OtaNotificationMailInsert = ''; DeviceFiltering = $null
            HasAzurePremiumSubscription = $false; IsIntuneManaged = $false
            DistinguishedName = "CN=$name,CN=First Organization,CN=Microsoft Exchange,CN=Services,CN=Configuration"; Guid = Get-NameGuid $name
        })
}

<#
.SYNOPSIS
The rules by which devices are let in by what they are.
#>
function Get-ActiveSyncDeviceAccessRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Identity, [string] $DomainController)
    $organization = Get-Organization
    $rules = foreach ($rule in $organization.Rules) {
        New-ConfigurationObject $organization "$systemTypes.ActiveSyncDeviceAccessRule" $rule.name ([ordered] @{
                QueryString = $rule.queryString; Characteristic = $rule.characteristic; AccessLevel = $rule.accessLevel
                DistinguishedName = "CN=$($rule.name),CN=Mobile Mailbox Settings,CN=Configuration"; Guid = [guid] $rule.guid
            })
    }
    Select-Named $organization "$mobileTasks.GetActiveSyncDeviceAccessRule" $rules $Identity
}

<#
.SYNOPSIS
The kinds of devices that were ever seen.
#>
function Get-ActiveSyncDeviceClass {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Identity, [string] $Filter, [string] $SortBy, [string] $DomainController)
    $organization = Get-Organization
    $latest = [System.Collections.Generic.Dictionary[string, datetime]]::new()
    foreach ($device in $organization.Devices) {
        $name = "$($device.Source.deviceType)§$($device.Source.deviceModel)"
        $seen = ConvertTo-Utc $device.Source.whenChangedUtc
        if (-not $latest.ContainsKey($name) -or $latest[$name] -lt $seen) { $latest[$name] = $seen }
    }
    $classes = foreach ($name in $latest.Keys) {
        $type, $model = $name.Split('§', 2)
        New-ConfigurationObject $organization "$systemTypes.ActiveSyncDeviceClass" $name ([ordered] @{
                DeviceType = $type; DeviceModel = $model; LastUpdateTime = $latest[$name]
                DistinguishedName = "CN=$name,CN=ExchangeDeviceClasses"; Guid = Get-NameGuid "class $name"
            })
    }
    $chosen = @(Select-Named $organization "$mobileTasks.GetActiveSyncDeviceClass" $classes $Identity)
    $bound = @{ Filter = $Filter; ResultSize = 'Unlimited' }
    Write-Object $chosen 'Get-ActiveSyncDeviceClass' $bound ('DeviceModel', 'DeviceType', 'LastUpdateTime') { $args[0] }
}

<#
.SYNOPSIS
The policies that mailboxes of the organisation have.
#>
function Get-MobileDeviceMailboxPolicy {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Identity, [string] $DomainController)
    $organization = Get-Organization
    $names = [System.Collections.Generic.SortedSet[string]]::new([string[]] @('Default'), [StringComparer]::OrdinalIgnoreCase)
    foreach ($mailbox in $organization.Mailboxes) { [void] $names.Add($mailbox.Policy) }
    $policies = foreach ($name in $names) {
        New-ConfigurationObject $organization "$systemTypes.MobileMailboxPolicy" $name ([ordered] @{
                AllowNonProvisionableDevices = $true; AlphanumericPasswordRequired = $false; AttachmentsEnabled = $true
                DeviceEncryptionEnabled = $false; PasswordEnabled = $false; DevicePolicyRefreshInterval = 'Unlimited'
                AllowExternalDeviceManagement = $false; MinPasswordLength = $null; IsDefault = $name -eq 'Default'
                DistinguishedName = "CN=$name,CN=Mobile Mailbox Policies,CN=First Organization"; Guid = Get-NameGuid "policy $name"
            })
    }
    Select-Named $organization "$mobileTasks.GetMobileMailboxPolicy" $policies $Identity
}

<#
.SYNOPSIS
Takes the settings of a session's view of Active Directory, and does nothing.
#>
function Set-ADServerSettings {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [bool] $ViewEntireForest, [string] $PreferredServer, [string] $PreferredGlobalCatalog, [string] $RecipientViewRoot,
        [string] $ConfigurationDomainController, [object] $SetPreferredDomainControllers)
}
