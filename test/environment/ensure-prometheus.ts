import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runProgram } from '@gatehouse/broker/local'

export type PrometheusPrograms = { readonly prometheus: string; readonly promtool: string }

const INSTALL_MS = 5 * 60_000

/**
 * Prometheus and promtool of this machine, installed with apt-get where they are not there and we are root on Debian or Ubuntu, which is
 * said first; undefined where they cannot be had. Any number of processes may call it at once.
 */
export async function ensurePrometheus(): Promise<PrometheusPrograms | undefined> {
  const found = findPrograms()
  if (found !== undefined || process.getuid?.() !== 0 || !isExecutable('/usr/bin/apt-get')) return found
  process.stderr.write('Installing prometheus with apt-get: it was not found on this machine\n')
  const apt = (...args: string[]) =>
    runProgram(
      '/usr/bin/env',
      ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-o', 'DPkg::Lock::Timeout=240', ...args],
      { signal: AbortSignal.timeout(INSTALL_MS), timeoutMs: INSTALL_MS },
    )
  const install = () => apt('install', '-y', '--no-install-recommends', 'prometheus')
  // A fresh machine has no package lists yet.
  if ((await install()).code !== 0) {
    await apt('update')
    await install()
  }
  return findPrograms()
}

function findPrograms(): PrometheusPrograms | undefined {
  const [prometheus, promtool] = ['prometheus', 'promtool'].map(findOnPath)
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool }
}

function findOnPath(name: string): string | undefined {
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/bin`.split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
