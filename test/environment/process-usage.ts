import { readFile } from 'node:fs/promises'

/** What a process has used since its start. `cpuSeconds` counts every core. */
export type ProcessUsage = { readonly cpuSeconds: number; readonly residentMiB: number; readonly peakMiB: number }

/** USER_HZ, which Linux has fixed at 100 for what /proc shows. */
const TICKS_PER_SECOND = 100

/** Linux only; undefined when the process is gone. */
export async function readProcessUsage(pid: number): Promise<ProcessUsage | undefined> {
  const [stat, status] = await Promise.all([read(`/proc/${pid}/stat`), read(`/proc/${pid}/status`)])
  // The name, in brackets, may hold anything; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  if (Number.isNaN(cpuSeconds)) return undefined
  const mebibytes = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1024)
  return { cpuSeconds, residentMiB: mebibytes('VmRSS'), peakMiB: mebibytes('VmHWM') }
}

/** Seconds that the cores of this machine were busy and idle since it started, all of them together. */
export async function readMachineUsage(): Promise<{ busySeconds: number; idleSeconds: number }> {
  const [, ...fields] = ((await read('/proc/stat')).split('\n')[0] ?? '').split(/\s+/)
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] = fields.map(Number)
  return {
    busySeconds: (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND,
    idleSeconds: (idle + wait) / TICKS_PER_SECOND,
  }
}

async function read(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}
