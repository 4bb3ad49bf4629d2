/*
 * Runs the tests and prints `N passed, M failed, K skipped` as the last line.
 *
 * Usage: npm run test [-- [filter…] [vitest options]]
 * A filter is `unit`, `real`, `compose`, the name of a folder of test/ (`faults`), or a part of a file's path. What needs a Docker
 * engine (`compose`) runs only when it is named.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatTestSummary, summarizeTestReport, type TestReport } from './summarize-test-report.ts'

const ROOT = resolve(import.meta.dirname, '..')
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')

const folder = await mkdtemp(join(tmpdir(), 'gatehouse-report-'))
try {
  const file = join(folder, 'report.json')
  const exitCode = await runVitest([
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...toArguments(process.argv.slice(2)),
  ])
  const summary = summarizeTestReport(await readReport(file), exitCode, ROOT)
  process.stdout.write(`${formatTestSummary(summary)}\n`)
  process.exitCode = summary.failures.length > 0 ? 1 : 0
} finally {
  await rm(folder, { recursive: true, force: true })
}

function toArguments(given: readonly string[]): string[] {
  const [first = '', ...rest] = given
  const projects: Record<string, readonly string[]> = { unit: ['unit'], real: ['real', 'brokers'], compose: ['compose'] }
  const named = projects[first]
  const files = (named === undefined ? given : rest).map((argument) =>
    /^[a-z-]+$/.test(argument) && existsSync(join(ROOT, 'test', argument)) ? `test/${argument}/` : argument,
  )
  return [...(named ?? ['unit', 'real', 'brokers']).flatMap((name) => ['--project', name]), ...files]
}

function runVitest(args: string[]): Promise<number> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<number>()
  const child = spawn(process.execPath, [VITEST, ...args], { cwd: ROOT, stdio: 'inherit' })
  // SIGINT: a terminal has sent it to vitest as well; then its report says what was cut short.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.once('error', reject).once('exit', (code) => settle(code ?? 1))
  return promise
}

async function readReport(file: string): Promise<TestReport | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TestReport
  } catch {
    return undefined
  }
}
