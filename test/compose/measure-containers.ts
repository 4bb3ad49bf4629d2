import type { ComposeProject } from './compose-project.ts'

export type Figures = Record<string, number>

/** A line of figures of this run, for whoever reads its output. */
export function report(what: string, figures: Figures): void {
  const texts = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value * 100) / 100}`)
  process.stderr.write(`measured: ${what}: ${texts.join(' · ')}\n`)
}

type Inspected = {
  Name: string
  RestartCount: number
  State: { StartedAt: string }
  Config: { Labels: Record<string, string> }
}

/** By service: memory as the engine counts it, restarts, and how long from the start of the container to its worker's word "Ready". */
export async function measureContainers(project: ComposeProject): Promise<Record<string, Figures>> {
  const running = (await project.containers()).filter(({ State }) => State === 'running')
  const ids = running.map(({ ID }) => ID)
  const inspected = JSON.parse(await project.docker('inspect', ...ids)) as Inspected[]
  const stats = (await project.docker('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', ...ids)).trim().split('\n')
  const memory = new Map(stats.map((line) => [line.split(' ')[0], bytesOf(line.split(' ')[1] ?? '')]))
  const measured: Record<string, Figures> = {}
  for (const { Name, RestartCount, State, Config } of inspected) {
    const service = Config.Labels['com.docker.compose.service'] ?? Name
    const readyAt = await readReadyAt(project, service)
    measured[service] = {
      'memory, MB': (memory.get(Name.replace(/^\//, '')) ?? 0) / 1_000_000,
      restarts: RestartCount,
      ...(readyAt === undefined ? {} : { 'ready, ms': readyAt - Date.parse(State.StartedAt) }),
    }
  }
  return measured
}

async function readReadyAt(project: ComposeProject, service: string): Promise<number | undefined> {
  const lines = (await project.must(['logs', '--no-log-prefix', '--no-color', service])).split('\n')
  const ready = lines.find((line) => line.includes('"msg":"Ready"'))
  return ready === undefined ? undefined : (JSON.parse(ready) as { time: number }).time
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }

function bytesOf(text: string): number {
  const [, value = '0', unit = 'B'] = /^([\d.]+)(\w+)$/.exec(text) ?? []
  return Number(value) * (UNITS[unit] ?? 1)
}
