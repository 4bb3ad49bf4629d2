$script:getCasMailboxTask = 'Microsoft.Exchange.Management.RecipientTasks.GetCASMailbox'
$script:setCasMailboxTask = 'Microsoft.Exchange.Management.RecipientTasks.SetCASMailbox'
# Values of unlinked multi-valued attributes that fit into one object's record, less what its addresses take.
$script:directoryValuesMax = 1200

<#
.SYNOPSIS
The mailboxes and their ActiveSync lists: one by -Identity, else all. An empty identity counts as none, as in Exchange.
#>
function Get-CASMailbox {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0)] [string] $Identity, [string] $Filter, [object] $ResultSize, [string] $SortBy,
        [string] $OrganizationalUnit, [string] $DomainController, [switch] $ReadFromDomainController,
        [switch] $RecalculateHasActiveSyncDevicePartnership, [switch] $ProtocolSettings, [switch] $Monitoring)
    $organization = Get-Organization
    $mailboxes = $organization.Mailboxes
    if ($Identity) { $mailboxes = @(Find-One $organization 'MailboxIndex' $getCasMailboxTask $Identity) }
    $filterable = 'ActiveSyncAllowedDeviceIDs', 'ActiveSyncBlockedDeviceIDs', 'ActiveSyncEnabled', 'ActiveSyncMailboxPolicy',
        'DisplayName', 'DistinguishedName', 'EmailAddresses', 'Guid', 'HasActiveSyncDevicePartnership', 'LegacyExchangeDN', 'Name',
        'PrimarySmtpAddress', 'SamAccountName', 'ServerName'
    Write-Object $mailboxes 'Get-CASMailbox' $PSBoundParameters $filterable { New-CasMailbox $organization $args[0] }
}

<#
.SYNOPSIS
Changes a mailbox. Each list takes a list (replaces), $null (empties) or @{Add = …; Remove = …}.
#>
function Set-CASMailbox {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Position = 0)] [string] $Identity, [object] $ActiveSyncAllowedDeviceIDs, [object] $ActiveSyncBlockedDeviceIDs,
        [bool] $ActiveSyncEnabled, [string] $ActiveSyncMailboxPolicy, [bool] $ActiveSyncDebugLogging,
        [switch] $IgnoreDefaultScope, [string] $DomainController)
    if (-not $Identity) { Stop-MissingIdentity 'Set-CASMailbox' $PSBoundParameters }
    $organization = Get-Organization
    $mailbox = Find-One $organization 'MailboxIndex' $setCasMailboxTask $Identity
    if ($null -eq $mailbox) { return }
    [System.Threading.Monitor]::Enter($organizationLock)
    try {
        $change = Get-MailboxChange $mailbox $PSBoundParameters
        $isSame = Test-SameMailbox $mailbox $change
        $count = $change.Allowed.Count + $change.Blocked.Count
        if ($count -le $directoryValuesMax -and -not $isSame -and $PSCmdlet.ShouldProcess($mailbox.Source.canonicalName)) {
            foreach ($key in 'Allowed', 'Blocked', 'Enabled', 'Policy') { $mailbox[$key] = $change[$key] }
            $mailbox.Changed = [datetime]::UtcNow
        }
    }
    finally { [System.Threading.Monitor]::Exit($organizationLock) }
    if ($count -gt $directoryValuesMax) { Write-DirectoryFull $organization }
    elseif ($isSame) {
        Write-Warning "The command completed successfully but no settings of '$($mailbox.Source.canonicalName)' have been modified."
    }
}

function Stop-MissingIdentity([string] $Cmdlet, $Bound) {
    if ($Bound.ContainsKey('Identity')) {
        $message = "Cannot bind argument to parameter 'Identity' because it is an empty string."
        Stop-Binding $Cmdlet 'ParameterArgumentValidationErrorEmptyStringNotAllowed' $message 'Identity'
    }
    $message = 'Cannot process command because of one or more missing mandatory parameters: Identity.'
    Stop-Binding $Cmdlet 'MissingMandatoryParameter' $message 'Identity'
}

function Get-MailboxChange($Mailbox, $Bound) {
    $change = @{ Allowed = $Mailbox.Allowed; Blocked = $Mailbox.Blocked; Enabled = $Mailbox.Enabled; Policy = $Mailbox.Policy }
    foreach ($key in 'Allowed', 'Blocked') {
        $name = "ActiveSync${key}DeviceIDs"
        if (-not $Bound.ContainsKey($name)) { continue }
        $change[$key] = Get-ChangedList $Mailbox[$key] $Bound[$name]
        if ($null -eq $change[$key]) {
            $message = "Cannot process argument transformation on parameter '$name'. Cannot convert value to type ""Microsoft.Exchange.Data.MultiValuedProperty``1[System.String]""."
            Stop-Binding 'Set-CASMailbox' 'ParameterArgumentTransformationError' $message $name
        }
    }
    if ($Bound.ContainsKey('ActiveSyncEnabled')) { $change.Enabled = $Bound.ActiveSyncEnabled }
    if ($Bound.ActiveSyncMailboxPolicy) { $change.Policy = $Bound.ActiveSyncMailboxPolicy }
    $change
}

# What Microsoft's multi-valued property makes of a value; nothing when it is none that it takes.
function Get-ChangedList([string[]] $Current, $Value) {
    if ($null -eq $Value) { return , [string[]] @() }
    if ($Value -isnot [System.Collections.IDictionary]) {
        $list = ConvertTo-StringList $Value
        if ($null -eq $list) { return }
        return Get-ListAfter @() $list @()
    }
    $add = $remove = [string[]] @()
    foreach ($key in $Value.Keys) {
        $strings = $null -eq $Value[$key] ? [string[]] @() : (ConvertTo-StringList $Value[$key])
        if ($null -eq $strings -or $key -isnot [string]) { return }
        if ($key -eq 'Add') { $add = $strings } elseif ($key -eq 'Remove') { $remove = $strings } else { return }
    }
    Get-ListAfter $Current $add $remove
}

function Get-ListAfter([string[]] $Current, [string[]] $Add, [string[]] $Remove) {
    $gone = New-IdSet $Remove
    $list = [System.Collections.Generic.List[string]]::new()
    foreach ($id in $Current) { if (-not $gone.Contains($id.Trim())) { $list.Add($id) } }
    $present = New-IdSet $list
    foreach ($id in $Add) { if ($present.Add($id.Trim())) { $list.Add($id.Trim()) } }
    , $list.ToArray()
}

function ConvertTo-StringList($Value) {
    if ($Value -is [string]) { return , [string[]] @($Value) }
    if ($Value -isnot [System.Collections.IEnumerable] -or $Value -is [System.Collections.IDictionary]) { return }
    $list = [System.Collections.Generic.List[string]]::new()
    foreach ($each in $Value) {
        if ($each -isnot [string]) { return }
        $list.Add($each)
    }
    , $list.ToArray()
}

function Test-SameMailbox($Mailbox, $Change) {
    foreach ($key in 'Allowed', 'Blocked') {
        if (-not [System.Linq.Enumerable]::SequenceEqual([string[]] $Mailbox[$key], [string[]] $Change[$key])) { return $false }
    }
    $Mailbox.Enabled -eq $Change.Enabled -and $Mailbox.Policy -ceq $Change.Policy
}

function Write-DirectoryFull($Organization) {
    $message = "Active Directory operation failed on $($Organization.DomainController). This error is not retriable. Additional information: The administrative limit for this request was exceeded. Active directory response: 00002024: SvcErr: DSID-02050CF4, problem 5008 (ADMIN_LIMIT_EXCEEDED), data -1026."
    Write-TaskError $setCasMailboxTask 'ADOperationException' 'Microsoft.Exchange.Data.Directory.ADOperationException' $message
}
