import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type NodeProcess = {
  /** Of the Erlang virtual machine. */
  readonly pid: number
  readonly hasExited: boolean
  readonly output: string
  /** Resolves when the node, its port mapper and everything else started here are gone. */
  stop(options?: { kill?: boolean }): Promise<void>
}

/**
 * Starts the port mapper (epmd) and the server, and ends both when the pipe on its input closes: so they do not outlive us,
 * whatever kills us. A background job has no input of its own in sh, hence descriptor 3.
 */
const SUPERVISOR = `
exec 3<&0
epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" </dev/null >/dev/null 2>&1 & epmd=$!
"$0" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM $server; } 2>/dev/null & watcher=$!
wait $server; code=$?
kill $watcher $epmd 2>/dev/null
wait
exit $code
`
/** Where Erlang's programs (erl, epmd) may be, beside the shell's own. */
export const PROGRAMS_PATH = '/usr/lib/erlang/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/homebrew/bin'
const STOP_TIMEOUT_MS = 30_000
const OUTPUT_CHARACTERS_MAX = 8_000

/** Spawns a node with this environment; it is not ready when this returns. */
export function spawnRabbitmqNode(options: { program: string; directory: string; env: Record<string, string> }): NodeProcess {
  const pidFile = join(options.directory, 'rabbit.pid')
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, options.program], {
    // A session of its own: Ctrl-C in our terminal must not end the broker before its clients have let go.
    detached: true,
    cwd: options.directory,
    env: { PATH: PROGRAMS_PATH, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  child.stdin.on('error', () => {})
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message
      resolve()
    })
    child.once('exit', () => resolve())
  })
  return {
    get pid() {
      return Number(readFileSync(pidFile, 'utf8'))
    },
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    },
    get output() {
      return output
    },
    stop: async ({ kill = false } = {}) => {
      if (child.pid === undefined) return
      child.stdin.end()
      if (!kill) await Promise.race([exited, delay(STOP_TIMEOUT_MS, undefined, { ref: false })])
      // The group holds everything that was started, so nothing of it stays even if the node would not end.
      killGroup(child.pid)
      await exited
      await rm(pidFile, { force: true })
    },
  }
}

function killGroup(groupId: number): void {
  try {
    process.kill(-groupId, 'SIGKILL')
  } catch {
    // Gone already: what was wanted.
  }
}
