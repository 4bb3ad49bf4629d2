import { readFile } from 'node:fs/promises'

/** The most memory a process has had resident so far, in MiB; undefined where the system does not tell (not Linux, or gone). */
export async function readPeakMemoryMiB(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  return kibibytes === undefined ? undefined : Math.round(Number(kibibytes) / 1024)
}
