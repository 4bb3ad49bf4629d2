# Objects as the cmdlets show them: the properties of Exchange 2019, enumerations and directory ids as text.

$script:directoryTypes = 'Microsoft.Exchange.Data.Directory.ADObject', 'Microsoft.Exchange.Data.Directory.ADRawEntry', 'Microsoft.Exchange.Data.ConfigurableObject'
$script:since = [datetime]::new(2019, 3, 4, 9, 30, 0, [System.DateTimeKind]::Utc)

# The names are put before those of the object, as Exchange's types are what stands first.
function Set-TypeName($Object, [string[]] $Names) {
    $known = $Object.PSObject.TypeNames
    for ($index = $Names.Count - 1; $index -ge 0; $index--) { $known.Insert(0, $Names[$index]) }
    $Object
}

function New-MobileDevice($Organization, $Device) {
    $source = $Device.Source
    $state, $reason, $rule = Get-Access $Organization $Device
    $changed = ConvertTo-Utc $source.whenChangedUtc
    $created = ConvertTo-Utc $source.whenCreatedUtc
    Set-TypeName ([pscustomobject] @{
            FriendlyName = $source.friendlyName; DeviceId = $source.deviceId; DeviceImei = $source.deviceImei
            DeviceMobileOperator = $source.deviceMobileOperator; DeviceOS = $source.deviceOs
            DeviceOSLanguage = $source.deviceOsLanguage; DeviceTelephoneNumber = $source.deviceTelephoneNumber
            DeviceType = $source.deviceType; DeviceUserAgent = $source.userAgent; DeviceModel = $source.deviceModel
            FirstSyncTime = ConvertTo-Utc $source.firstSyncTime; UserDisplayName = $Device.Mailbox.Source.canonicalName
            DeviceAccessState = $state; DeviceAccessStateReason = $reason; DeviceAccessControlRule = $rule
            ClientVersion = $source.clientVersion; DeviceActiveSyncVersion = $source.clientVersion; ClientType = $source.clientType
            IsManaged = $false; IsCompliant = $false; IsDisabled = $false; AdminDisplayName = ''
            ExchangeVersion = '0.1 (8.0.535.0)'; Name = $source.name; DistinguishedName = $source.distinguishedName
            Identity = $source.identity; ObjectCategory = "$($Organization.Domain)/Configuration/Schema/ms-Exch-Active-Sync-Device"
            ObjectClass = [string[]] ('top', 'msExchActiveSyncDevice'); WhenChanged = $changed.ToLocalTime()
            WhenCreated = $created.ToLocalTime(); WhenChangedUTC = $changed; WhenCreatedUTC = $created; OrganizationId = ''
            Id = $source.identity; Guid = [guid] $source.guid; OriginatingServer = $Organization.DomainController
            IsValid = $true; ObjectState = 'Changed'
        }) (@('Microsoft.Exchange.Data.Directory.Management.MobileDevice') + $directoryTypes)
}

function New-CasMailbox($Organization, $Mailbox) {
    $source = $Mailbox.Source
    $created = ConvertTo-Utc $source.whenCreatedUtc
    Set-TypeName ([pscustomobject] @{
            EmailAddresses = [string[]] @("SMTP:$($source.primarySmtpAddress)"); LegacyExchangeDN = $source.legacyExchangeDn
            LinkedMasterAccount = ''; PrimarySmtpAddress = $source.primarySmtpAddress; SamAccountName = $source.samAccountName
            ServerName = $source.serverName.ToLowerInvariant(); DisplayName = $source.displayName
            ActiveSyncAllowedDeviceIDs = $Mailbox.Allowed; ActiveSyncBlockedDeviceIDs = $Mailbox.Blocked
            ActiveSyncMailboxPolicy = $Mailbox.Policy; ActiveSyncMailboxPolicyIsDefaulted = $Mailbox.Policy -eq 'Default'
            ActiveSyncDebugLogging = $false; ActiveSyncEnabled = $Mailbox.Enabled
            HasActiveSyncDevicePartnership = $Mailbox.Devices.Count -gt 0; OwaMailboxPolicy = $null; OWAEnabled = $true
            OWAforDevicesEnabled = $true; ECPEnabled = $true; PopEnabled = $true; ImapEnabled = $true; MAPIEnabled = $true
            MapiHttpEnabled = $null; EwsEnabled = $null; EwsAllowList = [string[]] @(); AdminDisplayName = ''
            ExchangeVersion = '0.20 (15.0.0.0)'; Name = $source.name; DistinguishedName = $source.distinguishedName
            Identity = $source.canonicalName; ObjectCategory = "$($Organization.Domain)/Configuration/Schema/Person"
            ObjectClass = [string[]] ('top', 'person', 'organizationalPerson', 'user'); WhenChanged = $Mailbox.Changed.ToLocalTime()
            WhenCreated = $created.ToLocalTime(); WhenChangedUTC = $Mailbox.Changed; WhenCreatedUTC = $created; OrganizationId = ''
            Id = $source.canonicalName; Guid = [guid] $source.guid; OriginatingServer = $Organization.DomainController
            IsValid = $true; ObjectState = 'Unchanged'
        }) (@('Microsoft.Exchange.Data.Directory.Management.CASMailbox') + $directoryTypes)
}

# What all objects of the configuration have, after their own.
function New-ConfigurationObject($Organization, [string] $Type, [string] $Name, $Properties) {
    $object = [pscustomobject] ($Properties + [ordered] @{
            AdminDisplayName = ''; ExchangeVersion = '0.1 (8.0.535.0)'; Identity = $Name; Name = $Name
            WhenChanged = $since.ToLocalTime(); WhenCreated = $since.ToLocalTime(); WhenChangedUTC = $since; WhenCreatedUTC = $since
            OrganizationId = ''; Id = $Name; OriginatingServer = $Organization.DomainController; IsValid = $true; ObjectState = 'Unchanged'
        })
    Set-TypeName $object (@($Type, 'Microsoft.Exchange.Data.Directory.ADConfigurationObject') + $directoryTypes)
}

# A GUID that is the same in every run.
function Get-NameGuid([string] $Text) {
    $bytes = [System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::UTF8.GetBytes($Text))
    [guid]::new([byte[]] $bytes[0..15])
}
