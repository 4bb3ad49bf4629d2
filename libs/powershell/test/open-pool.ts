import { type Command, createRemotingEngine, type RemotingEngineOptions, type RunspacePool } from '../src/index.ts'
import { type Script, type ScriptedServer, type ServerOptions, startScriptedServer } from './scripted-wsman-server.ts'

export const signal = new AbortController().signal
export const options = { signal, timeoutMs: 30_000 }
export const LOAD_QUOTA =
  'The user load quota of 100 requests per 2 seconds has been exceeded. The next request from this user will not be approved for at least 4321 milliseconds.'
export const TOO_MANY_SHELLS = 'This user is allowed a maximum number of 2 concurrent shells, which has been exceeded.'
export const cleanUp: AsyncDisposable[] = []

/** For afterEach: closes whatever the test opened, the newest first. */
export async function closeAll(): Promise<void> {
  for (const resource of cleanUp.splice(0).reverse()) await resource[Symbol.asyncDispose]()
}

export async function start(script: Script, o: ServerOptions = {}): Promise<ScriptedServer> {
  const server = await startScriptedServer(script, o)
  cleanUp.push(server)
  return server
}

export function transportOf(url: string) {
  return { kind: 'wsman', url, user: 'svc', password: 'secret', idleTimeoutMs: 60_000, operationTimeoutMs: 2_000 } as const
}

export async function openPool(
  server: ScriptedServer,
  o: Partial<RemotingEngineOptions> & { runspaces?: number } = {},
): Promise<RunspacePool> {
  const { runspaces = 1, ...rest } = o
  const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 12, ...rest })
  cleanUp.push(engine)
  return await engine.open({ runspaces, signal })
}

export const completeAtOnce: Script = ({ pipelineId, pool }) => pool.state(pipelineId, 'completed')

export function untilStopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => stop.addEventListener('abort', () => resolve()))
}

export const stopped = {
  message: 'The pipeline has been stopped.',
  fullyQualifiedErrorId: 'PipelineStopped',
  category: 'OperationStopped',
  exceptionType: 'System.Management.Automation.PipelineStoppedException',
}
export const command: Command = { name: 'Set-CASMailbox', parameters: { Identity: 'a' } }
