import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProgram } from '../../libs/broker/src/run-program.ts'
import { RABBITMQ_4_FOLDER as FOLDER } from './rabbitmq-4-folder.ts'

/*
 * Makes ~/.cache/gatehouse/rabbitmq-4: a root folder of Debian's testing suite with its RabbitMQ (4.3), for the conformance suite on a
 * machine that has no Docker engine. Debian as root; needs about 400 MB and a minute. Does nothing when it is there.
 *
 * Usage: node test/environment/install-rabbitmq-4.ts
 */
const SUITE = 'forky'
const STEP_MS = 10 * 60_000
const PROGRAMS = ['rabbitmq-server', 'rabbitmqctl'] as const

if (await isThere()) process.stdout.write(`${FOLDER} is there\n`)
else await install()

async function isThere(): Promise<boolean> {
  return await readFile(join(FOLDER, 'bin', PROGRAMS[0])).then(
    () => true,
    () => false,
  )
}

/** In a folder of its own, renamed when it is whole, so that nobody ever meets half of it. */
async function install(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('Must run as root: it makes a root folder')
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(dirname(FOLDER), { recursive: true })
  const building = await mkdtemp(`${FOLDER}-`)
  try {
    const root = join(building, 'root')
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'debootstrap'])
    const mirror = /^(?:URIs:|deb) +(?:\[.*?\] )?(http\S+)/m.exec(await readSources())?.[1] ?? 'http://deb.debian.org/debian'
    await run('debootstrap', [
      '--variant=minbase',
      '--include=ca-certificates',
      SUITE,
      root,
      mirror,
      '/usr/share/debootstrap/scripts/sid',
    ])
    // The index of a testing suite expires within a week.
    await writeFile(join(root, 'etc/apt/apt.conf.d/99no-valid-until'), 'Acquire::Check-Valid-Until "false";\n')
    await writeFile(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
    await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n')
    await cp('/etc/resolv.conf', join(root, 'etc/resolv.conf'))
    await run('chroot', [root, 'apt-get', 'update'])
    await run('chroot', [root, 'apt-get', 'install', '-y', '--no-install-recommends', 'rabbitmq-server'])
    await rm(join(root, 'var/cache/apt'), { recursive: true, force: true })
    await mkdir(join(building, 'bin'))
    for (const program of PROGRAMS) await writeFile(join(building, 'bin', program), wrapperOf(program), { mode: 0o755 })
    await rename(building, FOLDER)
  } finally {
    await rm(building, { recursive: true, force: true })
  }
  process.stdout.write(`${FOLDER} is made\n`)
}

/** Runs the program in the root folder, in which the node's own folder (its HOME) is at the same path as outside. */
function wrapperOf(program: string): string {
  return `#!/bin/sh
exec unshare --mount --propagation private /bin/sh -c '
  root=${FOLDER}/root
  mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount -t tmpfs tmpfs "$root/tmp" || exit 1
  mkdir -p "$root$HOME" && mount --bind "$HOME" "$root$HOME" || exit 1
  exec chroot "$root" /usr/lib/rabbitmq/bin/${program} "$@"' ${program} "$@"
`
}

async function readSources(): Promise<string> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
  return `${await read('/etc/apt/sources.list.d/debian.sources')}\n${await read('/etc/apt/sources.list')}`
}

async function run(program: string, args: readonly string[]): Promise<void> {
  process.stderr.write(`${program} ${args.join(' ')}\n`)
  const env = { PATH: process.env['PATH'] ?? '', DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', LC_ALL: 'C' }
  const { code, output } = await runProgram(program, args, { signal: new AbortController().signal, timeoutMs: STEP_MS, env })
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${output.slice(-1_000)}`)
}
