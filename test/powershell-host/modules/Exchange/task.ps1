# What every Exchange task does: find its object, filter, count, write errors.

$script:serverName = 'EX01'
$script:firstThousand = 'By default, only the first 1000 items are returned. Use the ResultSize parameter to specify the number of items returned. To return all items, specify "-ResultSize Unlimited". Be aware that, depending on the actual number of items, returning all items can take a long time and consume a large amount of memory. Also, we don''t recommend storing the results in a variable. Instead, pipe the results to another task or script to perform batch changes.'
$script:moreAvailable = 'There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.'

function Write-TaskError([string] $Task, [string] $Failure, [string] $Type, [string] $Message) {
    $time = [datetime]::UtcNow.ToString('M/d/yyyy h:mm:ss tt', [cultureinfo]::InvariantCulture)
    $prefix = "[Server=$serverName,RequestId=$([guid]::NewGuid()),TimeStamp=$time] [FailureCategory=Cmdlet-$Failure]"
    & $writeRecord (New-Record "$prefix $(Get-HashText ($Failure + $Message)),$Task" $Type $Message)
}

function Write-NotFound($Organization, [string] $Task, [string] $Identity) {
    $failure = 'ManagementObjectNotFoundException'
    $message = "The operation couldn't be performed because object '$Identity' couldn't be found on '$($Organization.DomainController)'."
    Write-TaskError $Task $failure "Microsoft.Exchange.Configuration.Tasks.$failure" $message
}

# The one object of that name; nothing, and an error, when there is none or more.
function Find-One($Organization, [string] $Index, [string] $Task, [string] $Identity) {
    $found = $null
    if (-not $Organization[$Index].TryGetValue($Identity, [ref] $found)) { return Write-NotFound $Organization $Task $Identity }
    if ($found.Count -eq 1) { return $found[0] }
    $failure = 'ManagementObjectAmbiguousException'
    $message = "The operation couldn't be performed because '$Identity' matches multiple entries."
    Write-TaskError $Task $failure "Microsoft.Exchange.Configuration.Tasks.$failure" $message
}

# What the engine itself says before a task runs.
function Stop-Binding([string] $Cmdlet, [string] $Id, [string] $Message, [string] $Parameter) {
    $isTransformation = $Id -eq 'ParameterArgumentTransformationError'
    $type = $isTransformation ? 'ParameterBindingArgumentTransformationException' : 'ParameterBindingException'
    $category = $isTransformation ? 'InvalidData' : 'InvalidArgument'
    # ThrowTerminatingError would end this function only, and the task would go on after it.
    throw (New-Record "$Id,$Cmdlet" "System.Management.Automation.$type" $Message $category $Parameter $Cmdlet)
}

function Get-Limit([string] $Cmdlet, $Bound) {
    if (-not $Bound.ContainsKey('ResultSize')) { return 1000 }
    $text = "$($Bound.ResultSize)"
    if ($text -eq '' -or $text -eq 'Unlimited') { return [int]::MaxValue }
    if ($text -match '^[0-9]{1,9}$') { return [int] $text }
    $message = "Cannot process argument transformation on parameter 'ResultSize'. Cannot convert value ""$text"" to type ""Microsoft.Exchange.Data.Unlimited``1[System.UInt32]""."
    Stop-Binding $Cmdlet 'ParameterArgumentTransformationError' $message 'ResultSize'
}

# Writes what -Filter and -ResultSize leave of the objects, with their warnings. $Print makes of one what the cmdlet shows.
function Write-Object($Objects, [string] $Cmdlet, $Bound, [string[]] $Filterable, [scriptblock] $Print) {
    $limit = Get-Limit $Cmdlet $Bound
    $conditions = @(Read-Filter $Cmdlet $Bound.Filter $Filterable)
    $written = 0
    foreach ($object in $Objects) {
        if ($written -ge $limit -and $conditions.Count -eq 0) { break }
        $shown = & $Print $object
        if ($conditions.Count -gt 0 -and -not (Test-Filter $conditions $shown)) { continue }
        if ($written -ge $limit) { $written++; break }
        $written++
        $shown
    }
    if ($written -gt $limit -or ($conditions.Count -eq 0 -and $Objects.Count -gt $limit)) {
        Write-Warning ($Bound.ContainsKey('ResultSize') ? $moreAvailable : $firstThousand)
    }
}

$script:condition = [regex] '\G\s*(?<name>\w+)\s+-(?<operator>eq|ne|like|notlike)\s+(?:''(?<value>(?:[^'']|'''')*)''|"(?<value>(?:[^"]|"")*)"|\$(?<variable>true|false|null)|(?<value>[\w.-]+))\s*(?:-and\b|$)'

# Conditions joined by -and; Exchange knows more, which is refused here rather than guessed at.
function Read-Filter([string] $Cmdlet, [string] $Filter, [string[]] $Filterable) {
    $position = 0
    while ($position -lt $Filter.Length) {
        $match = $condition.Match($Filter, $position)
        if (-not $match.Success) { Stop-Filter $Cmdlet 'Only conditions joined by -and are understood here.' }
        $name = $match.Groups['name'].Value
        if ($name -notin $Filterable) { Stop-Filter $Cmdlet """$name"" is not a recognized filterable property." }
        $variable = $match.Groups['variable'].Value
        $value = $variable ? ($variable -eq 'null' ? '' : $variable) : $match.Groups['value'].Value.Replace("''", "'")
        @{ Name = $name; Operator = $match.Groups['operator'].Value; Value = $value }
        $position = $match.Index + $match.Length
    }
}

function Stop-Filter([string] $Cmdlet, [string] $Reason) {
    $detail = "Invalid filter syntax. For a description of the filter parameter syntax see the command help. $Reason"
    $message = "Cannot bind parameter 'Filter' to the target. Exception setting ""Filter"": ""$detail"""
    Stop-Binding $Cmdlet 'ParameterBindingFailed' $message 'Filter'
}

function Test-Filter($Conditions, $Shown) {
    foreach ($each in $Conditions) {
        $values = @($Shown.($each.Name))
        if ($values.Count -eq 0) { $values = @('') }
        $pattern = '^' + [regex]::Escape($each.Value) + '$'
        if ($each.Operator -like '*like') { $pattern = $pattern.Replace('\*', '.*') }
        $options = [System.Text.RegularExpressions.RegexOptions] 'IgnoreCase, Singleline, CultureInvariant'
        $holds = $false
        foreach ($value in $values) { if ([regex]::IsMatch("$value", $pattern, $options)) { $holds = $true } }
        if ($holds -eq ($each.Operator.StartsWith('n'))) { return $false }
    }
    $true
}
