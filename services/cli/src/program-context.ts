import type { Ask } from './init/find-answers.ts'
import type { WorkerName } from './processes/start-worker-process.ts'
import type { Streams, Terminal } from './terminal.ts'

export type ProgramContext = {
  readonly env: Record<string, string | undefined>
  readonly cwd: string
  readonly streams: Streams
  /** Undefined where nobody sits at the terminal. */
  readonly ask?: Ask | undefined
  readonly signal: AbortSignal
  /** Takes the exit code of the verb that ran. */
  readonly onExitCode: (code: number) => void
}

/** What commander hands over: every option of every verb, filled in where the verb has it. */
export type VerbOptions = {
  json: boolean
  config: string
  state: string
  scale: Partial<Record<WorkerName, number>>
  faults: string | undefined
  devices: number
  latencyMs: number
  seed: number
  runspaces: number
  exit: boolean
  port: number
  microsoftPort: number
  host: string
  tlsKey: string | undefined
  tlsCertificate: string | undefined
  attach: boolean
  doneFile: string | undefined
  directory: string
  demo: boolean
  tenantId: string | undefined
  clientId: string | undefined
  exchangeUrl: string | undefined
  exchangeUser: string | undefined
  exchangePasswordFile: string | undefined
  ewsUrl: string | undefined
  mailUser: string | undefined
  mailPasswordFile: string | undefined
  clientSecretFile: string | undefined
  includedGroups: string | undefined
  url: string | undefined
  tokenFile: string | undefined
  organization: string | undefined
  watch: boolean
  confirmed: boolean
  search: string | undefined
  accessState: string | undefined
  top: number
  skip: number
  parameters: string
  user: string | undefined
  passwordFile: string | undefined
  caFile: string | undefined
  timeoutMs: number
  viewEntireForest: boolean
  certificateSha256: string | undefined
  authentication: string | undefined
  proxy: string | undefined
  engine: string | undefined
  transport: string | undefined
  executable: string | undefined
  configurationFile: string | undefined
  module: string[]
  trace: boolean
  service: string | undefined
  errorClass: string | undefined
  code: string | undefined
  type: string | undefined
  organizationId: string | undefined
  mailboxId: string | undefined
  olderThan: number | undefined
  newerThan: number | undefined
  id: string[]
  replayId: string | undefined
  each: boolean
  execute: boolean
  hash: string | undefined
  yes: boolean
  max: number | undefined
  rate: number | undefined
  canary: number | undefined
  canarySeconds: number
  to: string | undefined
  returnedPercent: number | undefined
  detach: boolean
  skipCanary: boolean
  reason: string
  output: string | undefined
  patch: string
}

export type Run = (options: VerbOptions, terminal: Terminal, ...rest: string[]) => Promise<number>
