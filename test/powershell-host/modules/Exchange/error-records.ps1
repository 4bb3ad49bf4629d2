# Error records as Exchange's tasks write them. Used by both modules.

# An exception of that .NET type. Exchange's own types are in no assembly here: each is made when it is first needed, once per process.
function New-NamedException([string] $TypeName, [string] $Message) {
    $type = $TypeName -as [type]
    if ($null -eq $type -or -not [Exception].IsAssignableFrom($type)) { $type = Get-ExceptionType $TypeName }
    try { $type::new($Message) } catch { [Exception]::new($Message) }
}

function Get-ExceptionType([string] $TypeName) {
    $key = 'Gatehouse.Testing.ExceptionTypes'
    $lock = [string]::Intern($key)
    [System.Threading.Monitor]::Enter($lock)
    try {
        $known = [AppDomain]::CurrentDomain.GetData($key)
        if ($null -eq $known) {
            $name = [System.Reflection.AssemblyName]::new($key)
            $assembly = [System.Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, 'Run')
            $known = @{ Module = $assembly.DefineDynamicModule($key); Types = [System.Collections.Generic.Dictionary[string, type]]::new() }
            [AppDomain]::CurrentDomain.SetData($key, $known)
        }
        if (-not $known.Types.ContainsKey($TypeName)) { $known.Types[$TypeName] = New-ExceptionType $known.Module $TypeName }
        $known.Types[$TypeName]
    }
    finally { [System.Threading.Monitor]::Exit($lock) }
}

function New-ExceptionType($Module, [string] $TypeName) {
    try { $builder = $Module.DefineType($TypeName, 'Public, Class', [Exception]) } catch { return [Exception] }
    $constructor = $builder.DefineConstructor('Public', 'Standard', [type[]] @([string]))
    $generator = $constructor.GetILGenerator()
    $generator.Emit([System.Reflection.Emit.OpCodes]::Ldarg_0)
    $generator.Emit([System.Reflection.Emit.OpCodes]::Ldarg_1)
    $generator.Emit([System.Reflection.Emit.OpCodes]::Call, [Exception].GetConstructor([type[]] @([string])))
    $generator.Emit([System.Reflection.Emit.OpCodes]::Ret)
    $builder.CreateType()
}

function New-Record([string] $Id, [string] $Type, [string] $Message, [string] $Category = 'NotSpecified', $Target = $null, [string] $Activity = '') {
    $exception = New-NamedException $Type $Message
    $record = [System.Management.Automation.ErrorRecord]::new($exception, $Id, $Category, $Target)
    $record.CategoryInfo.Reason = $Type.Substring($Type.LastIndexOf('.') + 1)
    $record.CategoryInfo.Activity = $Activity
    $record
}

# The engine puts the name of the function that writes an error behind its id. A script block has no name, so that the id stays
# what Exchange makes of it: the .NET class of the task behind the comma (PowerShell ErrorPackage.cs, FullyQualifiedErrorId).
$script:writeRecord = { [CmdletBinding()] param($Record) $PSCmdlet.WriteError($Record) }

function Get-HashText([string] $Text) {
    [uint64] $hash = 0x811c9dc5L
    foreach ($character in $Text.ToCharArray()) { $hash = (($hash -bxor [int] $character) * 0x01000193) -band 0xffffffffL }
    $hash.ToString('X')
}
