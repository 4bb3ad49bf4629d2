import { describe, expect, it } from 'vitest'
import { buildPowerShellHost, describePowerShells } from '../../environment/powershell-host.ts'
import { runPowerShell } from './run-powershell.ts'

const executable = await buildPowerShellHost()
const title = executable === undefined ? 'powershell-host (not here: no .NET 10 SDK)' : 'powershell-host'

describe.skipIf(executable === undefined)(title, () => {
  it('is built once, however many ask for it at once', async () => {
    const asked = await Promise.all([buildPowerShellHost(), buildPowerShellHost(), buildPowerShellHost()])

    expect(asked).toEqual([executable, executable, executable])
  })

  it('is listed first among the PowerShells of the machine', async () => {
    const [first] = await describePowerShells()

    expect(first).toEqual({ name: 'PowerShell 7.6.9 built by test/powershell-host', executable, version: '7.6.9' })
  })

  it('is a whole PowerShell: the modules that come with it load and work', async () => {
    const seen = await runPowerShell(
      executable ?? '',
      `$PSVersionTable.PSVersion.ToString()
      Write-Output (ConvertFrom-Json '{"a":[1]}').a[0]
      Add-Type -TypeDefinition 'public static class Answer { public static int Is() => 42; }'; [Answer]::Is()
      $file = New-TemporaryFile; New-PSSessionConfigurationFile -Path "$file.pssc"; (Get-Content "$file.pssc").Count -gt 10
      Remove-Item $file, "$file.pssc"
      (ConvertTo-SecureString 'secret' -AsPlainText -Force).Length
      (Get-Process -Id $PID).Id -eq $PID
      'Management', 'Security', 'Utility' | ForEach-Object { (Import-Module "Microsoft.PowerShell.$_" -PassThru).Name }`,
    )

    const modules = ['Microsoft.PowerShell.Management', 'Microsoft.PowerShell.Security', 'Microsoft.PowerShell.Utility']
    expect(seen).toEqual(['7.6.9', 1, 42, true, 6, true, ...modules])
  })
})
