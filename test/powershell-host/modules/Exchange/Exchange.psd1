@{
    ModuleVersion     = '1.0.0'
    GUID              = '5b0a3c52-6a4e-4d0c-9a53-0d7a5a3f9c11'
    Author            = 'Gatehouse'
    Description       = 'Exchange cmdlets over an organisation in memory, for tests'
    PowerShellVersion = '7.4'
    RootModule        = 'Exchange.psm1'
    FunctionsToExport = @(
        'Get-ActiveSyncDeviceAccessRule', 'Get-ActiveSyncDeviceClass', 'Get-ActiveSyncOrganizationSettings', 'Get-CASMailbox',
        'Get-ExchangeServer', 'Get-MobileDevice', 'Get-MobileDeviceMailboxPolicy', 'Initialize-Organization', 'Set-ADServerSettings',
        'Set-CASMailbox', 'Test-Clixml', 'Test-Echo', 'Test-Fail', 'Test-Large', 'Test-Many', 'Test-Meet', 'Test-Prompt', 'Test-Reveal', 'Test-Stream',
        'Test-Stubborn', 'Test-Types', 'Test-Wait'
    )
    CmdletsToExport   = @()
    VariablesToExport = @()
    AliasesToExport   = @()
}
