# The cmdlets of the Exchange simulator that runs somewhere else: each is a function that forwards its call, so that many processes
# share one organisation, its latency, its faults and its books. See the README of test/powershell-host.
Set-StrictMode -Version 1

. "$PSScriptRoot/../Exchange/error-records.ps1"

$script:clixmlHead = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
$script:commandMax = [timespan]::FromMinutes(15)
$script:importMax = [timespan]::FromSeconds(30)

# One client for all runspaces of the process: its connections are shared.
function Get-Simulator {
    $key = 'Gatehouse.Testing.Simulator'
    $lock = [string]::Intern($key)
    [System.Threading.Monitor]::Enter($lock)
    try {
        $simulator = [AppDomain]::CurrentDomain.GetData($key)
        if ($null -eq $simulator) {
            $simulator = New-Simulator
            [AppDomain]::CurrentDomain.SetData($key, $simulator)
        }
        $simulator
    }
    finally { [System.Threading.Monitor]::Exit($lock) }
}

function New-Simulator {
    if (-not $env:GATEHOUSE_SIMULATOR_URL) { throw 'GATEHOUSE_SIMULATOR_URL must name the Exchange simulator' }
    # Any address of it will do.
    $base = [uri]::new([uri] $env:GATEHOUSE_SIMULATOR_URL, '/__simulator/')
    $handler = [System.Net.Http.SocketsHttpHandler]::new()
    $handler.UseProxy = $false
    $client = [System.Net.Http.HttpClient]::new($handler)
    $client.Timeout = $commandMax
    $pair = [System.Text.Encoding]::UTF8.GetBytes("${env:GATEHOUSE_SIMULATOR_USER}:${env:GATEHOUSE_SIMULATOR_PASSWORD}")
    $client.DefaultRequestHeaders.Authorization = [System.Net.Http.Headers.AuthenticationHeaderValue]::new('Basic', [convert]::ToBase64String($pair))
    $limit = [System.Threading.CancellationTokenSource]::new($importMax)
    $text = $client.GetStringAsync([uri]::new($base, 'cmdlets'), $limit.Token).GetAwaiter().GetResult()
    $definitions = foreach ($cmdlet in ($text | ConvertFrom-Json -AsHashtable)) { New-Definition $cmdlet }
    @{ Client = $client; Address = [uri]::new($base, 'cmdlet'); Definitions = @($definitions) }
}

# The text of a function. PowerShell has a Get-Command of its own. Parameters are forwarded as they come: the simulator converts and refuses.
function New-Definition($Cmdlet) {
    if ($Cmdlet.name -notmatch '^[A-Za-z]+-[A-Za-z]+$' -or $Cmdlet.name -eq 'Get-Command') { return }
    $parameters = foreach ($parameter in $Cmdlet.parameters) {
        if ($parameter.name -notmatch '^[A-Za-z]+$') { continue }
        $position = $parameter.name -eq 'Identity' ? '[Parameter(Position = 0)] ' : ''
        $type = $parameter.kind -is [string] -and $parameter.kind -eq 'switch' ? 'switch' : 'object'
        "$position[$type] `$$($parameter.name)"
    }
    "function $($Cmdlet.name) { [CmdletBinding(PositionalBinding = `$false)] param($($parameters -join ', ')) Invoke-SimulatedCmdlet `$PSCmdlet '$($Cmdlet.name)' `$PSBoundParameters }"
}

function Invoke-SimulatedCmdlet($Cmdlet, [string] $Name, $Bound) {
    $result = Send-Call $Name $Bound
    foreach ($text in $result.verbose) { $Cmdlet.WriteVerbose($text) }
    foreach ($text in $result.debug) { $Cmdlet.WriteDebug($text) }
    foreach ($text in $result.information) { $Cmdlet.WriteInformation($text, @()) }
    foreach ($text in $result.warnings) { $Cmdlet.WriteWarning($text) }
    foreach ($xml in $result.output) {
        $Cmdlet.WriteObject([System.Management.Automation.PSSerializer]::Deserialize("$clixmlHead$xml</Objs>"), $false)
    }
    foreach ($each in $result.errors) { & $writeRecord (ConvertTo-Record $each) }
    if ($null -ne $result.failed) { throw (ConvertTo-Record $result.failed) }
}

function Send-Call([string] $Name, $Bound) {
    $parameters = @{}
    foreach ($key in $Bound.Keys) {
        if ([System.Management.Automation.PSCmdlet]::CommonParameters.Contains($key)) { continue }
        $parameters[$key] = $Bound[$key] -is [switch] ? [bool] $Bound[$key] : $Bound[$key]
    }
    $call = @{ name = $Name; parameters = [System.Management.Automation.PSSerializer]::Serialize($parameters, 6) } | ConvertTo-Json -Compress
    $simulator = Get-Simulator
    $content = [System.Net.Http.StringContent]::new($call, [System.Text.Encoding]::UTF8, 'application/json')
    $stop = [System.Threading.CancellationTokenSource]::new()
    try {
        $task = $simulator.Client.PostAsync($simulator.Address, $content, $stop.Token)
        # In short waits: between two of them the pipeline can be stopped.
        while (-not $task.Wait(50)) { }
        $text = $task.Result.Content.ReadAsStringAsync().GetAwaiter().GetResult()
        if ($task.Result.IsSuccessStatusCode) { return $text | ConvertFrom-Json -AsHashtable }
        $status = [int] $task.Result.StatusCode
    }
    catch [System.Management.Automation.MethodInvocationException] { $status = 0 }
    finally {
        $stop.Cancel()
        $stop.Dispose()
    }
    throw (New-TransportRecord $Name $status)
}

# What PowerShell says of an Exchange that it reaches no more, or that lets it in no more. Exchange's own texts, for clients read those.
function New-TransportRecord([string] $Name, [int] $Status) {
    $message = switch ($Status) {
        0 { 'Processing data from the remote server failed: [FailureCategory=WSMan-InvalidShellID] The connection was lost.' }
        { $_ -in 401, 403 } { 'Access is denied.' }
        default { "The simulator refused the call of $Name with status $Status." }
    }
    New-Record "PSSessionStateBroken,$Name" 'System.Management.Automation.Remoting.PSRemotingTransportException' $message 'OpenError' $null $Name
}

function ConvertTo-Record($Record) {
    New-Record $Record.fullyQualifiedErrorId $Record.exceptionType $Record.message $Record.category $Record['targetText']
}

foreach ($definition in (Get-Simulator).Definitions) { . ([scriptblock]::Create($definition)) }
