# Exchange's cmdlets over an organisation in memory, and cmdlets to test an engine with. See the README of test/powershell-host.
Set-StrictMode -Version 1

. "$PSScriptRoot/error-records.ps1"
. "$PSScriptRoot/organization.ps1"
. "$PSScriptRoot/task.ps1"
. "$PSScriptRoot/print-objects.ps1"
. "$PSScriptRoot/mailbox-cmdlets.ps1"
. "$PSScriptRoot/device-cmdlets.ps1"
. "$PSScriptRoot/configuration-cmdlets.ps1"
. "$PSScriptRoot/test-cmdlets.ps1"
