import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../../../test/environment/eventually.ts'
import {
  basicEnvironment,
  createRemotingEngine,
  type RemotingEngineOptions,
  type RunspacePool,
  type StdioTransportOptions,
} from '../src/index.ts'
import { cleanUp, signal } from './open-pool.ts'

/** Commands that say where they ran, and that wait as a test needs it. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  'Get-TypeOf': 'param($Value) if ($null -eq $Value) { "null" } else { $Value.GetType().FullName }',
  'Get-Same': 'param($Value) ,$Value',
  'Get-PlainText': 'param($Value) [Net.NetworkCredential]::new("", $Value).Password',
  'Get-ProcessNumber': '$PID',
  'Get-Bulk':
    'param([int]$Count, [int]$Length) $text = [string]::new([char]120, $Length); for ($n = 0; $n -lt $Count; $n++) { $text }',
  // Started beside others: comes back only when `Count` of them run at the same time.
  'Wait-Others':
    'param($Folder, [int]$Count) [IO.File]::WriteAllText("$Folder/$([guid]::NewGuid())", "$PID"); ' +
    'while ([IO.Directory]::GetFiles($Folder).Length -lt $Count) { Start-Sleep -Milliseconds 5 }; $PID',
  // Says that it has begun, and waits until it is stopped.
  'Wait-Stop':
    'param($Folder) [IO.File]::WriteAllText("$Folder/$([guid]::NewGuid())", "$PID"); while ($true) { Start-Sleep -Milliseconds 20 }',
  // The same, and nothing stops it: PowerShell does not interrupt a call into .NET.
  'Wait-Hung':
    'param($Folder) [IO.File]::WriteAllText("$Folder/$([guid]::NewGuid())", "$PID"); [Threading.Thread]::Sleep(600000)',
  'Set-Prepared': '$global:prepared = $true',
  'Get-Prepared': '$global:prepared',
  'Stop-Everything': 'param([int]$Code) [Environment]::Exit($Code)',
}

/** A folder that is removed after the test. */
export async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-stdio-'))
  cleanUp.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) })
  return folder
}

/** The processes in which commands have said that they have begun, one for each command, once there are `count`. */
export function begunIn(folder: string, count: number): Promise<number[]> {
  return eventually(async () => {
    const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')))
    const begun = texts.filter((text) => text !== '').map(Number)
    if (begun.length < count) throw new Error(`${begun.length} of ${count} commands have begun`)
    return begun
  })
}

/** The path of a session configuration with the functions above. */
export async function writeConfiguration(): Promise<string> {
  const path = join(await createFolder(), 'test.pssc')
  const functions = Object.entries(FUNCTIONS).map(([name, body]) => `@{ Name = '${name}'; ScriptBlock = { ${body} } }`)
  await writeFile(
    path,
    `@{ SchemaVersion = '2.0.0.0'; GUID = 'b4f1c5a0-8d8e-4c5e-9d0c-7f3a0c6f1b11'; SessionType = 'Default'; ` +
      `LanguageMode = 'FullLanguage'; FunctionDefinitions = @(${functions.join(', ')}) }`,
  )
  return path
}

export type StdioPoolOptions = Partial<RemotingEngineOptions> & {
  readonly runspaces?: number
  readonly stdio: Omit<StdioTransportOptions, 'kind' | 'environment'> & { readonly environment?: Record<string, string> }
}

export async function openStdioPool({ runspaces = 1, stdio, ...rest }: StdioPoolOptions): Promise<RunspacePool> {
  const environment = { ...basicEnvironment(process.env), ...stdio.environment }
  const transport = { kind: 'stdio', ...stdio, environment } as const
  const engine = createRemotingEngine({ shellsMax: 12, ...rest, transport })
  cleanUp.push(engine)
  return await engine.open({ runspaces, signal })
}

export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch {
    return false
  }
}
