export type { Clock } from './clock.ts'
export {
  createRemotingEngine,
  deleteOrphanShell,
  type EngineLog,
  type PoolLimits,
  type RemotingEngineOptions,
  type WsmanTransportOptions,
} from './create-remoting-engine.ts'
export type { InvocationResult, InvokeOptions, PowerShellEngine, RunspacePool, RunspacePoolStats } from './engine.ts'
export type { Lease, LeaseBroker, ShellAddress } from './leases.ts'
export { checkCommand } from './protocol/check-command.ts'
export type { Command, ErrorRecord } from './protocol/command.ts'
export { isPsObject, type PsData, type PsObject } from './protocol/ps-data.ts'
export { PsGuid, type PsValue } from './protocol/ps-value.ts'
