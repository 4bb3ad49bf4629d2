import { buildPowerShellHost, POWERSHELL_MODULES } from './powershell-host.ts'

/*
 * Builds test/powershell-host and prints where it is, for `gatehouse demo --engine host`.
 *
 * Usage: node test/environment/print-powershell-host.ts
 */
const executable = await buildPowerShellHost()
process.stdout.write(`${JSON.stringify({ executable, module: POWERSHELL_MODULES.simulatedExchange })}\n`)
