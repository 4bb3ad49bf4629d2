# One organisation for all runspaces of the process. Its objects are hashtables; what changes (the lists of a mailbox) is replaced
# whole, under the lock, so that readers need none.

$script:organizationKey = 'Gatehouse.Testing.Organization'
$script:organizationLock = [string]::Intern($organizationKey)

<#
.SYNOPSIS
Reads the organisation anew: from -Path, else from the file that GATEHOUSE_ORGANIZATION names, else the one of this module.
#>
function Initialize-Organization {
    [CmdletBinding()]
    param([string] $Path)
    [System.Threading.Monitor]::Enter($organizationLock)
    try { [AppDomain]::CurrentDomain.SetData($organizationKey, (Read-Organization $Path)) }
    finally { [System.Threading.Monitor]::Exit($organizationLock) }
}

function Get-Organization {
    $organization = [AppDomain]::CurrentDomain.GetData($organizationKey)
    if ($null -ne $organization) { return $organization }
    [System.Threading.Monitor]::Enter($organizationLock)
    try {
        $organization = [AppDomain]::CurrentDomain.GetData($organizationKey)
        if ($null -eq $organization) {
            $organization = Read-Organization ''
            [AppDomain]::CurrentDomain.SetData($organizationKey, $organization)
        }
        $organization
    }
    finally { [System.Threading.Monitor]::Exit($organizationLock) }
}

function Read-Organization([string] $Path) {
    if (-not $Path) { $Path = $env:GATEHOUSE_ORGANIZATION }
    if (-not $Path) { $Path = [System.IO.Path]::Combine($PSScriptRoot, 'organization.json') }
    $options = @{ AsHashtable = $true; Depth = 16 }
    # A device may be called like a date. From PowerShell 7.5.
    if ((Get-Command ConvertFrom-Json).Parameters.ContainsKey('DateKind')) { $options.DateKind = 'String' }
    $population = [System.IO.File]::ReadAllText($Path) | ConvertFrom-Json @options
    $organization = @{
        Domain           = $population.organization.domain
        DomainController = "dc01.$($population.organization.domain)"
        Servers          = @($population.organization.servers)
        Rules            = @($population.organization.deviceAccessRules)
        DefaultLevel     = $population.organization.defaultAccessLevel
        Mailboxes        = [System.Collections.Generic.List[hashtable]]::new()
        Devices          = [System.Collections.Generic.List[hashtable]]::new()
        MailboxIndex     = [System.Collections.Generic.Dictionary[string, object]]::new([StringComparer]::OrdinalIgnoreCase)
        DeviceIndex      = [System.Collections.Generic.Dictionary[string, object]]::new([StringComparer]::OrdinalIgnoreCase)
    }
    foreach ($source in $population.mailboxes) { Add-Mailbox $organization $source }
    $organization
}

function Add-Mailbox($Organization, $Source) {
    $mailbox = @{
        Source  = $Source
        Allowed = [string[]] @($Source.initialAllowedDeviceIds)
        Blocked = [string[]] @($Source.initialBlockedDeviceIds)
        Enabled = [bool] $Source.activeSyncEnabled
        Policy  = $Source.activeSyncMailboxPolicy
        Changed = ConvertTo-Utc $Source.whenChangedUtc
        Devices = [System.Collections.Generic.List[hashtable]]::new()
    }
    $Organization.Mailboxes.Add($mailbox)
    $netbios = $Organization.Domain.Split('.')[0]
    Add-Name $Organization.MailboxIndex $mailbox @(
        $Source.guid, $Source.primarySmtpAddress, $Source.upn, $Source.distinguishedName, $Source.canonicalName, $Source.alias,
        $Source.samAccountName, "$netbios\$($Source.samAccountName)", $Source.name, $Source.displayName, $Source.legacyExchangeDn)
    foreach ($partnership in $Source.partnerships) {
        $device = @{ Source = $partnership; Mailbox = $mailbox; InDiscovery = [bool] $partnership.isInDeviceDiscovery }
        $mailbox.Devices.Add($device)
        $Organization.Devices.Add($device)
        $tail = "ExchangeActiveSyncDevices\$($partnership.name)"
        Add-Name $Organization.DeviceIndex $device @(
            $partnership.guid, $partnership.distinguishedName, $partnership.identity, $partnership.name,
            "$($Source.name)\$tail", "$($Source.alias)\$tail")
    }
}

function Add-Name($Index, $Object, [string[]] $Names) {
    foreach ($name in $Names) {
        if (-not $name) { continue }
        if (-not $Index.ContainsKey($name)) { $Index[$name] = [System.Collections.Generic.List[object]]::new() }
        if (-not $Index[$name].Contains($Object)) { $Index[$name].Add($Object) }
    }
}

function ConvertTo-Utc($Text) {
    if ($Text -is [datetime]) { return $Text.ToUniversalTime() }
    [datetime]::Parse($Text, [cultureinfo]::InvariantCulture, 'RoundtripKind').ToUniversalTime()
}

# Device ids are compared trimmed and without case; they are kept trimmed.
function New-IdSet([string[]] $Ids) {
    $set = [System.Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
    foreach ($id in $Ids) { [void] $set.Add($id.Trim()) }
    , $set
}

# Exchange's own order (TechNet ff959225): mailbox, personal exemptions, device rules, organisation default.
function Get-Access($Organization, $Device) {
    $mailbox = $Device.Mailbox
    $id = $Device.Source.deviceId.Trim()
    if (-not $mailbox.Enabled) { return 'Blocked', 'Policy', $null }
    if ($mailbox.Blocked.Count -gt 0 -and (New-IdSet $mailbox.Blocked).Contains($id)) { return 'Blocked', 'Individual', $null }
    if ($mailbox.Allowed.Count -gt 0 -and (New-IdSet $mailbox.Allowed).Contains($id)) { return 'Allowed', 'Individual', $null }
    if ($Device.InDiscovery) { return 'DeviceDiscovery', 'Global', $null }
    $values = @{
        DeviceType = $Device.Source.deviceType; DeviceModel = $Device.Source.deviceModel
        DeviceOS = $Device.Source.deviceOs; UserAgent = $Device.Source.userAgent
    }
    $states = @{ Allow = 'Allowed'; Block = 'Blocked'; Quarantine = 'Quarantined' }
    foreach ($level in 'Block', 'Quarantine', 'Allow') {
        foreach ($rule in $Organization.Rules) {
            if ($rule.accessLevel -ne $level) { continue }
            if ([string]::Equals($values[$rule.characteristic], $rule.queryString, 'OrdinalIgnoreCase')) {
                return $states[$level], 'DeviceRule', $rule.name
            }
        }
    }
    $states[$Organization.DefaultLevel], 'Global', $null
}
