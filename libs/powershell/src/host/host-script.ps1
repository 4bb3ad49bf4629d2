# The one script of the host engine; works in Windows PowerShell 5.1 and PowerShell 7. It takes over standard input and output of
# a PowerShell that was started with -Command -, opens one RunspacePool and answers requests, one JSON object a line, until it is
# told to close or its input ends. A command is a name and typed parameters: nothing that is received is ever parsed as script.
#
# Values travel as CLIXML in base64, so that a line needs no escaping and both engines of the library read the same bytes.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# What PSSerializer.Serialize does, as remoting does it: PSSerializer refuses texts with U+FFFE or U+FFFF, and indents.
function ConvertTo-HostClixml($Record, [int] $Depth) {
    $settings = [System.Xml.XmlWriterSettings]::new()
    $settings.OmitXmlDeclaration = $true
    $settings.CheckCharacters = $false
    $text = [System.Text.StringBuilder]::new()
    $writer = [System.Xml.XmlWriter]::Create($text, $settings)
    $type = [psobject].Assembly.GetType('System.Management.Automation.Serializer')
    $flags = [System.Reflection.BindingFlags] 'Instance, NonPublic'
    $serializer = $type.GetConstructor($flags, $null, [type[]] @([System.Xml.XmlWriter], [int], [bool]), $null).Invoke(@($writer, $Depth, $true))
    $null = $type.GetMethod('Serialize', $flags, $null, [type[]] @([object]), $null).Invoke($serializer, @(, $Record))
    $null = $type.GetMethod('Done', $flags).Invoke($serializer, @())
    $writer.Dispose()
    # References that XML does not allow, as CLIXML has them: [MS-PSRP] 2.2.5.3.2.
    $text.Replace('&#xFFFE;', '_xFFFE_').Replace('&#xFFFF;', '_xFFFF_').ToString()
}

# The functions from here to Invoke-HostWorker run in the runspaces of the workers. They read the $Shared of Invoke-HostWorker.

function Write-HostLine([string] $Line) {
    [System.Threading.Monitor]::Enter($Shared.Writer)
    # A program that a cmdlet started can write to the same output: whatever it left open ends before the line.
    try { $Shared.Writer.Write("`n" + $Line + "`n") } finally { [System.Threading.Monitor]::Exit($Shared.Writer) }
}

function ConvertTo-HostData([string] $Text) {
    [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($Text))
}

function ConvertFrom-HostData([string] $Data) {
    [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($Data))
}

function Write-HostRecord([string] $Kind, [long] $Id, $Record, [int] $Depth) {
    $data = ConvertTo-HostData (ConvertTo-HostClixml $Record $Depth)
    if ($data.Length -gt $Shared.LineCharsMax) { return $false }
    Write-HostLine ('{"op":"' + $Kind + '","id":' + $Id + ',"data":"' + $data + '"}')
    $true
}

# The record that a remoting server sends with the end state: that of the exception if it carries one.
function Get-HostErrorRecord($Reason) {
    if ($Reason -is [System.Management.Automation.IContainsErrorRecord] -and $null -ne $Reason.ErrorRecord) {
        return [System.Management.Automation.ErrorRecord]::new($Reason.ErrorRecord, $Reason)
    }
    [System.Management.Automation.ErrorRecord]::new($Reason, 'RemotePSInvocationStateInfoReason', 'InvalidResult', $null)
}

# A cmdlet asked the user something; no user is there. A missing mandatory parameter is asked for as well.
function Test-HostPrompt($Reason) {
    for ($e = $Reason; $null -ne $e; $e = $e.InnerException) {
        if ($e -is [System.Management.Automation.Host.HostException]) { return $true }
        if ($e -is [System.Management.Automation.ParameterBindingException] -and $e.ErrorId -eq 'MissingMandatoryParameter') { return $true }
    }
    $false
}

function ConvertTo-HostSecureString([string] $Data) {
    $secure = [System.Security.SecureString]::new()
    foreach ($char in (ConvertFrom-HostData $Data).ToCharArray()) { $secure.AppendChar($char) }
    $secure.MakeReadOnly()
    $secure
}

function Add-HostParameters($PowerShell, $Message) {
    if ($Message.parameters) {
        $table = [System.Management.Automation.PSSerializer]::Deserialize((ConvertFrom-HostData $Message.parameters))
        foreach ($name in $table.Keys) { $null = $PowerShell.AddParameter($name, $table[$name]) }
    }
    foreach ($secret in $Message.secrets) {
        $value = ConvertTo-HostSecureString $secret.text
        if ($secret.kind -eq 'credential') { $value = [pscredential]::new((ConvertFrom-HostData $secret.user), $value) }
        $null = $PowerShell.AddParameter($secret.name, $value)
    }
}

# Answers how many records it left out: what failed and what was warned of is always told.
function Write-HostStreams($Entry) {
    $streams = $Entry.PowerShell.Streams
    $dropped = 0
    foreach ($kind in 'error', 'warning', 'verbose', 'debug', 'progress', 'information') {
        $left = if ($kind -in 'error', 'warning') { [int]::MaxValue } else { $Shared.RecordsMax }
        foreach ($record in $streams.$kind.ReadAll()) {
            if ($kind -eq 'error' -and (Test-HostPrompt $record.Exception)) { $Entry.IsPrompted = $true }
            if ($record -is [System.Management.Automation.InformationalRecord]) { $record = $record.Message }
            if ($left-- -le 0 -or -not (Write-HostRecord $kind $Entry.Id $record 1)) { $dropped++ }
        }
    }
    $dropped
}

function Write-HostOutput($Entry, $Output) {
    $index = 0
    foreach ($item in $Output) {
        # The collection keeps what was read: without this a large result would be held twice.
        $Output[$index++] = $null
        if ($Entry.IsTooLarge) { continue }
        if ($Shared.IsLocal) {
            $data = ConvertTo-HostData $item
            $isSent = $data.Length -le $Shared.LineCharsMax
            if ($isSent) { Write-HostLine ('{"op":"output","id":' + $Entry.Id + ',"data":"' + $data + '"}') }
        }
        # What comes from a remote pool is data already cut to the depth its server chose.
        else { $isSent = Write-HostRecord 'output' $Entry.Id $item 8 }
        if (-not $isSent) {
            $Entry.IsTooLarge = $true
            $null = $Entry.PowerShell.BeginStop($null, $null)
        }
    }
}

function Invoke-HostCommand($Entry) {
    $ps = $Entry.PowerShell
    $state = 'refused'
    $reason = $null
    $dropped = 0
    try {
        $ps.RunspacePool = $Shared.Pool
        $null = $ps.AddCommand($Entry.Message.name)
        Add-HostParameters $ps $Entry.Message
        # Properties that a script computes must be read on the thread of the runspace that they belong to.
        if ($Shared.IsLocal) { $null = $ps.AddCommand('Out-HostClixml') }
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $async = $null
        [System.Threading.Monitor]::Enter($Entry.Lock)
        try {
            # Without input, not with an empty one: a cmdlet that is given no object would never run its ProcessRecord.
            if (-not $Entry.IsStopped) { $async = $Shared.BeginInvoke.Invoke($ps, @($null, $output)) }
        }
        finally { [System.Threading.Monitor]::Exit($Entry.Lock) }
        if ($null -eq $async) { $state = 'stopped' }
        else {
            $state = 'running'
            Write-HostOutput $Entry $output
            try { $null = $ps.EndInvoke($async) } catch { }
            $state = $ps.InvocationStateInfo.State.ToString().ToLowerInvariant()
            $reason = $ps.InvocationStateInfo.Reason
            $dropped = Write-HostStreams $Entry
        }
    }
    catch {
        if ($state -ne 'refused') { $state = 'unreadable' }
        $reason = $_.Exception
    }
    $flags = ',"prompted":' + $(if ($Entry.IsPrompted -or (Test-HostPrompt $reason)) { 'true' } else { 'false' })
    $flags += ',"tooLarge":' + $(if ($Entry.IsTooLarge) { 'true' } else { 'false' })
    if ($null -ne $reason) { try { $null = Write-HostRecord 'reason' $Entry.Id (Get-HostErrorRecord $reason) 1 } catch { } }
    $flags += ',"dropped":' + $dropped
    $null = $Shared.Entries.Remove($Entry.Id)
    try { $ps.Dispose() } catch { }
    Write-HostLine ('{"op":"end","id":' + $Entry.Id + ',"state":"' + $state + '"' + $flags + '}')
}

# Runs requests, one after the other, in a runspace of its own: a script block cannot be called on a thread without a runspace, so
# the results of an asynchronous pipeline are read by blocking on them here, and nothing polls.
function Invoke-HostWorker($Shared) {
    foreach ($entry in $Shared.Requests.GetConsumingEnumerable()) { Invoke-HostCommand $entry }
}

# Gives the process a group of its own, so that whatever a cmdlet starts can be ended with it.
function Initialize-HostGroup {
    if ($env:OS -eq 'Windows_NT') { return $false }
    try {
        $name = [System.Reflection.AssemblyName]::new('HostGroup')
        $assembly = [System.Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, 'Run')
        $type = $assembly.DefineDynamicModule('HostGroup').DefineType('HostGroup', 'Public,Class')
        $method = $type.DefinePInvokeMethod('setpgid', 'libc', 'Public,Static,PinvokeImpl', 'Standard', [int], [type[]] @([int], [int]), 'Winapi', 'Ansi')
        $method.SetImplementationFlags('PreserveSig')
        $type.CreateType()::setpgid(0, 0) -eq 0
    }
    catch { $false }
}

function New-HostCredential($Source) {
    if ($null -eq $Source) { return $null }
    $secure = [System.Security.SecureString]::new()
    foreach ($char in $utf8.GetString([System.Convert]::FromBase64String($Source.password)).ToCharArray()) { $secure.AppendChar($char) }
    [pscredential]::new($utf8.GetString([System.Convert]::FromBase64String($Source.user)), $secure)
}

function New-HostConnection($Source, [int] $StopMs) {
    $info = [System.Management.Automation.Runspaces.WSManConnectionInfo]::new([uri] $Source.uri, $Source.shellUri, (New-HostCredential $Source.credential))
    $info.AuthenticationMechanism = $Source.authentication
    # Exchange sends a session to another server by redirection.
    $info.MaximumConnectionRedirectionCount = 5
    $info.CancelTimeout = $StopMs
    if ($Source.proxy) {
        $info.ProxyAccessType = $Source.proxy.accessType
        if ($Source.proxy.authentication) { $info.ProxyAuthentication = $Source.proxy.authentication }
        $credential = New-HostCredential $Source.proxy.credential
        if ($null -ne $credential) { $info.ProxyCredential = $credential }
    }
    $info
}

function Add-HostFunction($State, [string] $Name, [scriptblock] $Body) {
    $State.Commands.Add([System.Management.Automation.Runspaces.SessionStateFunctionEntry]::new($Name, $Body.ToString()))
}

function New-HostPool($Open) {
    if ($Open.connection) {
        return [runspacefactory]::CreateRunspacePool(1, $Open.runspaces, (New-HostConnection $Open.connection $Open.stopMs))
    }
    $state = [initialsessionstate]::CreateDefault2()
    $state.ThrowOnRunspaceOpenError = $true
    if ($Open.modules) { $state.ImportPSModule([string[]] $Open.modules) }
    Add-HostFunction $state 'ConvertTo-HostClixml' ${function:ConvertTo-HostClixml}
    Add-HostFunction $state 'Out-HostClixml' { process { ConvertTo-HostClixml $_ 1 } }
    # This overload has a host without a user interface: what prompts fails.
    $pool = [runspacefactory]::CreateRunspacePool($state)
    $null = $pool.SetMaxRunspaces($Open.runspaces)
    # All at once: runspaces above the minimum are closed when idle, and imports in concurrent opens can silently miss (PowerShell #7377).
    $null = $pool.SetMinRunspaces($Open.runspaces)
    $pool.ThreadOptions = 'ReuseThread'
    $pool
}

function Start-HostWorkers($Shared, [int] $Count) {
    $state = [initialsessionstate]::CreateDefault2()
    $names = 'ConvertTo-HostClixml', 'Write-HostLine', 'ConvertTo-HostData', 'ConvertFrom-HostData', 'Write-HostRecord', 'Get-HostErrorRecord',
        'Test-HostPrompt', 'ConvertTo-HostSecureString', 'Add-HostParameters', 'Write-HostStreams', 'Write-HostOutput', 'Invoke-HostCommand',
        'Invoke-HostWorker'
    foreach ($name in $names) { Add-HostFunction $state $name $ExecutionContext.InvokeCommand.GetCommand($name, 'Function').ScriptBlock }
    for ($i = 0; $i -lt $Count; $i++) {
        $worker = [powershell]::Create($state)
        $null = $worker.AddCommand('Invoke-HostWorker').AddParameter('Shared', $Shared).BeginInvoke()
    }
}

function Stop-HostEntry($Entry) {
    if ($null -eq $Entry) { return }
    [System.Threading.Monitor]::Enter($Entry.Lock)
    try {
        $Entry.IsStopped = $true
        if ($Entry.PowerShell.InvocationStateInfo.State -eq 'Running') { $null = $Entry.PowerShell.BeginStop($null, $null) }
    }
    catch { }
    finally { [System.Threading.Monitor]::Exit($Entry.Lock) }
}

$utf8 = [System.Text.UTF8Encoding]::new($false)
$reader = [System.IO.StreamReader]::new([Console]::OpenStandardInput(), $utf8)
$writer = [System.IO.StreamWriter]::new([Console]::OpenStandardOutput(), $utf8)
$writer.NewLine = "`n"
$writer.AutoFlush = $true
# As the engine's own server on standard input does: nothing else may write between the lines.
[Console]::SetIn([System.IO.TextReader]::Null)
[Console]::SetOut([System.IO.TextWriter]::Null)
[Console]::SetError([System.IO.TextWriter]::Null)

$hasGroup = Initialize-HostGroup
# From here on the other side sends: before it, PowerShell's own reader would have taken what follows its line.
$writer.WriteLine("`n" + '{"op":"hello","pid":' + $PID + ',"group":' + $(if ($hasGroup) { 'true' } else { 'false' }) + ',"version":"' + $PSVersionTable.PSVersion + '"}')

$shared = [hashtable]::Synchronized(@{
    Writer       = $writer
    Requests     = [System.Collections.Concurrent.BlockingCollection[object]]::new()
    Entries      = [hashtable]::Synchronized(@{})
    BeginInvoke  = ([powershell].GetMethods() | Where-Object { $_.Name -eq 'BeginInvoke' -and $_.GetGenericArguments().Length -eq 2 -and $_.GetParameters().Length -eq 2 }).MakeGenericMethod([psobject], [psobject])
    Pool         = $null
    IsLocal      = $true
    LineCharsMax = 0
    RecordsMax   = 0
})
$closeMs = 5000

while ($null -ne ($line = $reader.ReadLine())) {
    if ($line -eq '') { continue }
    $message = ConvertFrom-Json $line
    switch ($message.op) {
        'open' {
            try {
                $closeMs = $message.closeMs
                $shared.LineCharsMax = $message.lineCharsMax
                $shared.RecordsMax = $message.recordsMax
                $shared.IsLocal = -not $message.connection
                $null = [System.Threading.ThreadPool]::SetMinThreads($message.runspaces + 4, $message.runspaces + 4)
                $shared.Pool = New-HostPool $message
                $shared.Pool.Open()
                Start-HostWorkers $shared $message.runspaces
                $writer.WriteLine('{"op":"opened"}')
            }
            catch {
                $failure = $_.Exception
                while ($failure.InnerException -and $failure -is [System.Management.Automation.MethodInvocationException]) { $failure = $failure.InnerException }
                $code = 0
                if ($failure -is [System.Management.Automation.Remoting.PSRemotingTransportException]) { $code = $failure.ErrorCode }
                $record = ConvertTo-HostClixml ([System.Management.Automation.ErrorRecord]::new($failure, 'RunspacePoolOpen', 'OpenError', $null)) 1
                $writer.WriteLine('{"op":"open-failed","code":' + $code + ',"data":"' + [Convert]::ToBase64String($utf8.GetBytes($record)) + '"}')
            }
        }
        'run' {
            $entry = [hashtable]::Synchronized(@{
                Id = [long] $message.id; Message = $message; PowerShell = [powershell]::Create(); Lock = [object]::new(); IsStopped = $false; IsTooLarge = $false; IsPrompted = $false
            })
            $shared.Entries[[long] $message.id] = $entry
            $shared.Requests.Add($entry)
        }
        'stop' { Stop-HostEntry $shared.Entries[[long] $message.id] }
        'ping' {
            [System.Threading.Monitor]::Enter($writer)
            try { $writer.WriteLine('{"op":"pong","bytes":' + [Environment]::WorkingSet + '}') } finally { [System.Threading.Monitor]::Exit($writer) }
        }
    }
    if ($message.op -eq 'close') { break }
}

# Also when the input ended, which is how this process hears that the one which started it is gone.
foreach ($entry in @($shared.Entries.Values)) { Stop-HostEntry $entry }
if ($null -ne $shared.Pool) {
    try { $null = $shared.Pool.BeginClose($null, $null).AsyncWaitHandle.WaitOne([int] $closeMs) } catch { }
}
[Environment]::Exit(0)
