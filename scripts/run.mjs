#!/usr/bin/env node
/*
 * The way into a checkout for any Node from 20: installs what the lock file says if it is not there, then runs the verb
 * with the Node of the project. Imports no packages: there may be none yet. Standard output belongs to the verb.
 *
 * Usage: node scripts/run.mjs <verb> [arguments…]
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { findMissingPackages } from './find-missing-packages.mjs'

const NODE_MAJOR = 26
const ECHO_MS = 300
const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')

const VERBS = {
  test: (args) => ['scripts/test.ts', ...args],
  unit: (args) => ['scripts/test.ts', 'unit', ...args],
  compose: (args) => ['scripts/test.ts', 'compose', ...args],
  check: (args) => ['scripts/check.ts', ...args],
  sbom: (args) => ['scripts/sbom.ts', ...args],
  gatehouse: (args) => [join(ROOT, 'services/cli/src/main.ts'), ...args],
  demo: (args) => [join(ROOT, 'services/cli/src/main.ts'), 'demo', ...args],
  bench: ([name, ...args]) => [fileOf('bench', name), ...args],
  fuzz: ([name, ...args]) => [fileOf('fuzz', name), ...args],
  torture: ([name, ...args]) => [fileOf('torture', name), ...args],
  campaign: ([name, ...args]) => [fileOf('campaign', name), ...args],
}

function fail(code, text) {
  process.stderr.write(`${text}\n`)
  process.exit(code)
}

/** The program of a bench or a campaign: test/<kind>/<name>.ts. */
function fileOf(kind, name) {
  const folder = join(ROOT, 'test', kind)
  const names = existsSync(folder) ? readdirSync(folder).flatMap((file) => file.match(/^([a-z-]+)\.ts$/)?.[1] ?? []) : []
  if (!names.includes(name)) fail(2, `Usage: npm run ${kind} -- <name> [--json]; names: ${names.join(', ')}`)
  return join('test', kind, `${name}.ts`)
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
  } catch {
    return undefined
  }
}

function installIfNeeded() {
  const wanted = readLock('package-lock.json')
  if (wanted === undefined) fail(1, 'package-lock.json is missing or broken: this is no whole checkout')
  const missing = findMissingPackages(wanted, readLock('node_modules/.package-lock.json'))
  if (missing.length === 0) return
  process.stderr.write(`Installing ${missing.length} packages (npm ci), once…\n`)
  // No package needs its install script: what the database's would do, libs/store does when it starts one.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const [program, all] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args]
  // Its standard output is our standard error.
  const { status, error } = spawnSync(program, all, { cwd: ROOT, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
  if (status !== 0) fail(1, `npm ci failed${error === undefined ? '' : `: ${error.message}`}`)
}

function findNode() {
  const installed = join(BIN, process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(installed)) return installed
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath
  return fail(
    1,
    `This machine has Node ${process.versions.node}, and no package brings Node ${NODE_MAJOR} for it: install Node ${NODE_MAJOR}`,
  )
}

/** Passes signals on, each once: npm, a terminal and a supervisor may all send the same one to the whole process group. */
function passSignalsOn(child) {
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
  let last = 0
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      if (Date.now() - last < ECHO_MS) return
      last = Date.now()
      // A terminal's Ctrl-C has reached the child already; a second one would mean "at once".
      if (signal !== 'SIGINT' || !hasTerminal) child.kill(signal)
    })
  }
}

function main([verb, ...args]) {
  if (!Object.hasOwn(VERBS, verb ?? '')) fail(2, `Usage: node scripts/run.mjs <${Object.keys(VERBS).join('|')}> [arguments…]`)
  installIfNeeded()
  // Types are stripped once and not in every process: a worker starts faster and never loads the compiler.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(ROOT, 'node_modules', '.cache', 'node')
  const env = { ...process.env, PATH: [BIN, process.env.PATH].join(delimiter), NODE_COMPILE_CACHE: cache }
  // The paths that a person gives are relative to where that person is; npm has changed to the checkout by now.
  const isCommand = verb === 'gatehouse' || verb === 'demo'
  const cwd = isCommand ? (process.env.INIT_CWD ?? process.cwd()) : ROOT
  const child = spawn(findNode(), VERBS[verb](args), { cwd, env, stdio: 'inherit' })
  passSignalsOn(child)
  child.on('error', (error) => fail(1, `Cannot start: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

main(process.argv.slice(2))
