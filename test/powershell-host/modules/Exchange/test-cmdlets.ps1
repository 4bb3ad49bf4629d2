# What the contract of the engines asks for, and Exchange does not have.

<#
.SYNOPSIS
Gives -Value back as one object.
#>
function Test-Echo {
    [CmdletBinding()]
    param([object] $Value)
    $PSCmdlet.WriteObject($Value, $false)
}

<#
.SYNOPSIS
Gives -Value back as the engine's own CLIXML, as deep as it goes.
#>
function Test-Clixml {
    [CmdletBinding()]
    param([object] $Value)
    $PSCmdlet.WriteObject([System.Management.Automation.PSSerializer]::Serialize($Value, 32), $false)
}

<#
.SYNOPSIS
The text of a secret, or the user and the text of a credential.
#>
function Test-Reveal {
    [CmdletBinding()]
    param([securestring] $Secret, [pscredential] $Credential)
    if ($null -ne $Credential) { "$($Credential.UserName):$($Credential.GetNetworkCredential().Password)" }
    else { [System.Net.NetworkCredential]::new('', $Secret).Password }
}

<#
.SYNOPSIS
Writes to every stream, whatever the preferences are.
#>
function Test-Stream {
    [CmdletBinding()]
    param()
    'output'
    Write-Warning 'warning'
    Write-Verbose 'verbose' -Verbose
    Write-Debug 'debug' -Debug
    Write-Information 'information' -InformationAction Continue
    $progress = [System.Management.Automation.ProgressRecord]::new(1, 'progress', 'half')
    $progress.PercentComplete = 50
    $PSCmdlet.WriteProgress($progress)
    $PSCmdlet.WriteError((New-Record 'TestFailed' 'System.InvalidOperationException' 'error' 'ObjectNotFound'))
}

<#
.SYNOPSIS
Ends after that time, and at once when it is stopped.
#>
function Test-Wait {
    [CmdletBinding()]
    param([int] $Milliseconds = 1000)
    Start-Sleep -Milliseconds $Milliseconds
}

<#
.SYNOPSIS
Ends after that time, whether it is stopped or not: the engine waits for a call to .NET to come back.
#>
function Test-Stubborn {
    [CmdletBinding()]
    param([int] $Milliseconds = 1000)
    [System.Threading.Thread]::Sleep($Milliseconds)
}

<#
.SYNOPSIS
Writes an error and goes on ("after"), or ends by it.
#>
function Test-Fail {
    [CmdletBinding()]
    param(
        [string] $Message = 'failed', [switch] $Terminating, [switch] $NonTerminating, [string] $ErrorId = 'TestFailed',
        [System.Management.Automation.ErrorCategory] $Category = 'ObjectNotFound', [object] $Target,
        [string] $ExceptionType = 'System.InvalidOperationException')
    $record = New-Record $ErrorId $ExceptionType $Message $Category $Target
    if ($Terminating) { $PSCmdlet.ThrowTerminatingError($record) }
    $PSCmdlet.WriteError($record)
    'after'
}

<#
.SYNOPSIS
Asks the user: for a line, a choice, a credential, or whether to go on.
#>
function Test-Prompt {
    [CmdletBinding()]
    param([ValidateSet('Line', 'Choice', 'Credential', 'Confirm')] [string] $Kind = 'Line')
    switch ($Kind) {
        'Line' { $Host.UI.ReadLine() }
        'Choice' { $Host.UI.PromptForChoice('caption', 'message', [System.Management.Automation.Host.ChoiceDescription[]] @('&Yes', '&No'), 0) }
        'Credential' { $Host.UI.PromptForCredential('caption', 'message', 'someone', 'target').UserName }
        'Confirm' { $PSCmdlet.ShouldContinue('query', 'caption') }
    }
}

<#
.SYNOPSIS
The numbers from 0, so many.
#>
function Test-Many {
    [CmdletBinding()]
    param([int] $Count = 1)
    for ($index = 0; $index -lt $Count; $index++) { $index }
}

<#
.SYNOPSIS
Waits until -Count pipelines are in the room of that name at once, then says true.
#>
function Test-Meet {
    [CmdletBinding()]
    param([int] $Count = 2, [string] $Name = 'room')
    $key = "Gatehouse.Testing.Room.$Name"
    $lock = [string]::Intern($key)
    [System.Threading.Monitor]::Enter($lock)
    try {
        $room = [AppDomain]::CurrentDomain.GetData($key)
        if ($null -eq $room) {
            $room = [System.Threading.CountdownEvent]::new($Count)
            [AppDomain]::CurrentDomain.SetData($key, $room)
        }
        if (-not $room.IsSet) { [void] $room.Signal() }
    }
    finally { [System.Threading.Monitor]::Exit($lock) }
    # In short waits: between two of them the pipeline can be stopped.
    while (-not $room.Wait(20)) { }
    $true
}

<#
.SYNOPSIS
One object { Name, Value } for every type that remoting knows.
#>
function Test-Types {
    [CmdletBinding()]
    param()
    $queue = [System.Collections.Queue]::new([object[]] (1, 2)); $stack = [System.Collections.Stack]::new([object[]] (1, 2))
    $xml = [xml]::new(); $xml.LoadXml('<a b="c">d</a>')
    $secure = [securestring]::new(); foreach ($character in 'secret'.ToCharArray()) { $secure.AppendChar($character) }
    $values = [ordered] @{
        Null = $null; String = "a`r`n`u{1}`u{1F4F1}_x0041_"; EmptyString = ''; Char = [char] 'ä'; BooleanTrue = $true; BooleanFalse = $false
        Byte = [byte]::MaxValue; SByte = [sbyte]::MinValue; Int16 = [int16]::MinValue; UInt16 = [uint16]::MaxValue
        Int32 = [int]::MinValue; UInt32 = [uint32]::MaxValue; Int64 = [long]::MinValue; UInt64 = [ulong]::MaxValue
        Single = [float] 1.5; Double = [double]::MaxValue; NaN = [double]::NaN; Infinity = [double]::PositiveInfinity
        Decimal = [decimal]::MaxValue; BigInteger = [bigint]::Parse('123456789012345678901234567890')
        DateUtc = [datetime]::new(2026, 1, 2, 3, 4, 5, 678, [System.DateTimeKind]::Utc); DateUnspecified = [datetime]::new(2026, 1, 2, 3, 4, 5)
        DateOffset = [datetimeoffset]::new(2026, 1, 2, 3, 4, 5, [timespan]::FromHours(-7)); TimeSpan = [timespan]::new(1, 2, 3, 4, 5)
        Guid = [guid] '9b9387fe-e1b1-4695-97bd-b0a0bebe7ce2'; Uri = [uri] 'https://example.test/a?b=c'; Version = [version] '1.2.3.4'
        Bytes = [byte[]] (0, 1, 254, 255); NoBytes = [byte[]] @(); Array = [object[]] (1, 'two', $null); EmptyArray = [object[]] @()
        Strings = [string[]] ('a', 'b'); List = [System.Collections.ArrayList] @(1, 'two'); Queue = $queue; Stack = $stack
        Hashtable = @{ key = 'value' }; Ordered = [ordered] @{ z = 1; a = 2 }; IntKeys = @{ 1 = 'one' }
        Enum = [System.DayOfWeek]::Tuesday; Flags = [System.IO.FileAttributes] 'Hidden, System'; Xml = $xml; ScriptBlock = { 1 + 1 }
        SecureString = $secure; Object = [pscustomobject] @{ a = 1; b = [pscustomobject] @{ c = 2 } }; Version5 = [version] '5.1'
        Command = $MyInvocation.MyCommand; Exception = [System.InvalidOperationException]::new('message'); Type = [string]
    }
    foreach ($name in $values.Keys) { [pscustomobject] @{ Name = $name; Value = $values[$name] } }
}

<#
.SYNOPSIS
One text of so many bytes.
#>
function Test-Large {
    [CmdletBinding()]
    param([int] $Bytes = 1048576)
    [string]::new([char] 'x', $Bytes)
}
