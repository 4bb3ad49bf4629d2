import { listPowerShellTargets } from '../../environment/powershell-targets.ts'
import { describeContract } from './describe-contract.ts'

for (const target of await listPowerShellTargets()) describeContract(target)
