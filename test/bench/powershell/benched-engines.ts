import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import {
  type Command,
  createHostEngine,
  createRemotingEngine,
  type PowerShellEngine,
} from '../../../libs/powershell/src/index.ts'
import { buildPowerShellHost } from '../../environment/powershell-host.ts'
import { createPopulation } from '../../simulators/src/index.ts'

/** An engine with the command that costs its server nothing, and the one that takes a known time. */
export type BenchedEngine = {
  readonly engine: 'remoting' | 'host'
  readonly transport: 'wsman' | 'stdio' | 'host'
  /** Opens it against a server whose commands take this long. */
  open(o: { runspaces: number; latencyMs: number }): Promise<{ engine: PowerShellEngine } & AsyncDisposable>
  command(n: number, latencyMs: number): Command
}

const SIMULATOR = resolve(import.meta.dirname, 'serve-simulator.ts')
const DEVICES = 200
/** The same seed as in the simulator's process: the same mailboxes. */
const { mailboxes } = createPopulation({ devices: DEVICES, seed: 7 })

/** Every engine that this machine can have; `missing` names the others. */
export async function listBenchedEngines(): Promise<{ engines: BenchedEngine[]; missing: string[] }> {
  const executable = await buildPowerShellHost()
  if (executable === undefined) return { engines: [wsman], missing: ['stdio and host: no .NET SDK 10 on this machine'] }
  return { engines: [wsman, stdio(executable), host(executable)], missing: [] }
}

const wsman: BenchedEngine = {
  engine: 'remoting',
  transport: 'wsman',
  async open({ runspaces, latencyMs }) {
    const simulator = await startSimulator(latencyMs)
    const { url, user, password } = simulator
    const engine = createRemotingEngine({
      transport: { kind: 'wsman', url, user, password, idleTimeoutMs: 120_000 },
      onOpenRunspace: [{ name: 'Set-ADServerSettings', parameters: { ViewEntireForest: true } }],
      shellsMax: runspaces,
    })
    return owned(engine, simulator.stop)
  },
  // As enforcement sends it: an id more in the list of a mailbox.
  command: (n) => ({
    name: 'Set-CASMailbox',
    parameters: {
      Identity: mailboxes[n % mailboxes.length]?.guid ?? '',
      ActiveSyncAllowedDeviceIDs: { Add: [`BENCH${n}`], Remove: [] },
    },
  }),
}

const local = (_n: number, latencyMs: number): Command =>
  latencyMs === 0
    ? { name: 'Write-Output', parameters: { InputObject: 1 } }
    : { name: 'Start-Sleep', parameters: { Milliseconds: latencyMs } }

function stdio(executable: string): BenchedEngine {
  return {
    engine: 'remoting',
    transport: 'stdio',
    open: ({ runspaces }) =>
      Promise.resolve(
        owned(createRemotingEngine({ transport: { kind: 'stdio', executable }, shellsMax: runspaces }), () => {}),
      ),
    command: local,
  }
}

function host(executable: string): BenchedEngine {
  return {
    engine: 'host',
    transport: 'host',
    open: () => Promise.resolve(owned(createHostEngine({ executable }), () => {})),
    command: local,
  }
}

function owned(engine: PowerShellEngine, end: () => void): { engine: PowerShellEngine } & AsyncDisposable {
  return {
    engine,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]()
      end()
    },
  }
}

type Simulator = { url: string; user: string; password: string; stop: () => void }

/** The Exchange simulator as a process of its own. It ends when its standard input does. */
export async function startSimulator(latencyMs: number, devices = DEVICES): Promise<Simulator> {
  const child = spawn(process.execPath, [SIMULATOR, String(latencyMs), String(devices)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const line = await new Promise<string>((done, reject) => {
    child.once('exit', (code) => reject(new Error(`The simulator ended with code ${code}`)))
    child.stdout.once('data', (chunk: Buffer) => done(chunk.toString()))
  })
  return { ...(JSON.parse(line) as Omit<Simulator, 'stop'>), stop: () => child.stdin.end() }
}
