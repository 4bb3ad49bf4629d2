import {
  basicEnvironment,
  createHostEngine,
  createRemotingEngine,
  type PowerShellEngine,
  type RunspacePool,
} from '../../libs/powershell/src/index.ts'
import { createSimulatedCmdlets } from '../conformance/powershell/simulated-cmdlets.ts'
import { createPopulation, startExchangeSimulator } from '../simulators/src/index.ts'
import { createCertificate } from './create-certificate.ts'
import {
  describePowerShells,
  fullLanguageConfiguration,
  POWERSHELL_MODULES,
  restrictedConfiguration,
} from './powershell-host.ts'

/** A PowerShell engine on something that runs cmdlets for it. */
export type PowerShellTarget = {
  readonly name: string
  /** Why this machine cannot have it. */
  readonly unavailable: string | undefined
  /** Microsoft's PowerShell runs the cmdlets, and not our simulator. */
  readonly isRealEngine: boolean
  open(options: { runspaces: number }): Promise<OpenedTarget>
}

export type OpenedTarget = { readonly pool: RunspacePool } & AsyncDisposable

const OPEN_MS = 90_000
const MAILBOXES = 20
/** A cmdlet that does not stop must not hold a test up. */
const LIMITS = { stopMs: 500 }

/** Every way by which `libs/powershell` runs cmdlets, against what stands for Exchange on this machine. */
export async function listPowerShellTargets(): Promise<PowerShellTarget[]> {
  const here = await describePowerShells()
  const real = here.length === 0 ? missingTargets() : here.flatMap(({ name, executable }) => realTargets(name, executable))
  return [simulatorTarget('http'), simulatorTarget('https'), ...real]
}

const KINDS = ['remoting over stdio, full language', 'remoting over stdio, NoLanguage', 'host engine'] as const

function missingTargets(): PowerShellTarget[] {
  return KINDS.map((kind) => ({
    name: `${kind}, on the real engine`,
    unavailable: 'neither the .NET SDK 10 nor pwsh 7.4 is on this machine',
    isRealEngine: true,
    open: () => Promise.reject(new Error('Not on this machine')),
  }))
}

function realTargets(name: string, executable: string): PowerShellTarget[] {
  const environment = basicEnvironment(process.env)
  const stdio = async (languageMode: 'FullLanguage' | 'NoLanguage', runspaces: number) =>
    createRemotingEngine({
      transport: {
        kind: 'stdio',
        executable,
        arguments: [
          '-ConfigurationFile',
          await (languageMode === 'NoLanguage' ? restrictedConfiguration() : fullLanguageConfiguration()),
        ],
        environment,
        // Cmdlets of one process can meet.
        runspacesPerProcess: runspaces,
      },
      shellsMax: runspaces,
      limits: LIMITS,
    })
  const host = (runspaces: number) =>
    createHostEngine({
      executable,
      environment,
      modules: [POWERSHELL_MODULES.exchange],
      runspacesMax: runspaces,
      limits: LIMITS,
    })
  const target = (kind: string, create: (runspaces: number) => PowerShellEngine | Promise<PowerShellEngine>) => ({
    name: `${kind}, on ${name}`,
    unavailable: undefined,
    isRealEngine: true,
    open: async ({ runspaces }: { runspaces: number }) =>
      await openedOf(await create(runspaces), runspaces, () => Promise.resolve()),
  })
  return [
    target(KINDS[0], (runspaces) => stdio('FullLanguage', runspaces)),
    target(KINDS[1], (runspaces) => stdio('NoLanguage', runspaces)),
    target(KINDS[2], host),
  ]
}

function simulatorTarget(scheme: 'http' | 'https'): PowerShellTarget {
  return {
    name: `remoting over WSMan (${scheme}) to the simulator`,
    unavailable: undefined,
    isRealEngine: false,
    async open({ runspaces }) {
      const tls = scheme === 'https' ? createCertificate() : undefined
      const simulator = await startExchangeSimulator({
        population: createPopulation({ devices: MAILBOXES, seed: 7 }),
        port: 0,
        latencyMs: 0,
        moreCmdlets: createSimulatedCmdlets(),
        ...(tls !== undefined && { tls }),
      })
      const { url, user, password } = simulator
      const engine = createRemotingEngine({
        transport: { kind: 'wsman', url, user, password, idleTimeoutMs: 60_000, ...(tls !== undefined && { ca: tls.cert }) },
        shellsMax: runspaces,
        limits: LIMITS,
      })
      return await openedOf(engine, runspaces, () => simulator.stop())
    },
  }
}

async function openedOf(engine: PowerShellEngine, runspaces: number, end: () => Promise<void>): Promise<OpenedTarget> {
  const close = async () => {
    await engine[Symbol.asyncDispose]()
    await end()
  }
  try {
    const pool = await engine.open({ runspaces, signal: AbortSignal.timeout(OPEN_MS) })
    return { pool, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
