@{
    ModuleVersion     = '1.0.0'
    GUID              = '0c8f6d0a-8a1c-4f2e-9d63-4b1f7f2f1e27'
    Author            = 'Gatehouse'
    Description       = 'The cmdlets of a running Exchange simulator, for tests'
    PowerShellVersion = '7.4'
    RootModule        = 'SimulatedExchange.psm1'
    # Those of the simulator, which may not have all of them.
    FunctionsToExport = @(
        'Clear-MobileDevice', 'Get-ActiveSyncDeviceAccessRule', 'Get-ActiveSyncDeviceClass', 'Get-ActiveSyncOrganizationSettings',
        'Get-CASMailbox', 'Get-ExchangeServer', 'Get-MobileDevice', 'Get-MobileDeviceMailboxPolicy', 'Get-MobileDeviceStatistics',
        'Get-Recipient', 'New-ActiveSyncDeviceAccessRule', 'Remove-ActiveSyncDeviceAccessRule', 'Remove-MobileDevice',
        'Set-ActiveSyncDeviceAccessRule', 'Set-ActiveSyncOrganizationSettings', 'Set-ADServerSettings', 'Set-CASMailbox'
    )
    CmdletsToExport   = @()
    VariablesToExport = @()
    AliasesToExport   = @()
}
