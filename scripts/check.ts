/*
 * Everything that can be told about the code without running it. Shows all failures; exit code 1 when there is one.
 *
 * Usage: npm run check [-- --write]     --write: put right what can be put right (formatting, generated documents)
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { listDashboardFiles } from '../deploy/grafana/src/list-dashboards.ts'
import { findBreaches } from './check-boundaries.ts'
import { findLogBreaches, readVocabulary } from './check-log-calls.ts'
import { findRefusedLicences } from './find-refused-licences.ts'
import { formatLicences } from './format-licences.ts'
import type { Lock } from './list-locked-packages.ts'
import { listSourceFiles } from './list-source-files.ts'
import { listTurboIssues } from './list-turbo-issues.ts'
import { programStep, runSteps, type Step } from './run-steps.ts'

const ROOT = resolve(import.meta.dirname, '..')
const STEP_MS = 300_000
const AT_ONCE = 2

const isWriting = process.argv.includes('--write')
const options = { cwd: ROOT, timeoutMs: STEP_MS }
const inModules = (path: string): string => join(ROOT, 'node_modules', path)

const steps: Step[] = [
  programStep('types', [inModules('typescript7/bin/tsc'), '--noEmit', '-p', '.'], options),
  programStep(
    'format and lint',
    [
      inModules('@biomejs/biome/bin/biome'),
      'check',
      '--error-on-warnings',
      '--max-diagnostics=200',
      ...(isWriting ? ['--write'] : []),
    ],
    options,
  ),
  programStep('dead code', [inModules('knip/bin/knip.js'), '--no-progress', '--no-config-hints'], options),
  programStep('boundaries of packages', ['boundaries'], {
    ...options,
    program: inModules('.bin/turbo'),
    env: { TURBO_TELEMETRY_DISABLED: '1' },
    judge: (output) => listTurboIssues(output).join('\n'),
  }),
  { name: 'boundaries of folders', run: () => Promise.resolve(findBreaches(listSourceFiles(ROOT)).join('\n')) },
  { name: 'licences', run: () => Promise.resolve(findRefusedLicences(readLock()).join('\n')) },
  {
    name: 'words of the log',
    run: () => {
      const vocabulary = readVocabulary(readFileSync(join(ROOT, 'docs/operations/logs.md'), 'utf8'))
      return Promise.resolve(findLogBreaches(listSourceFiles(ROOT), vocabulary).join('\n'))
    },
  },
  {
    name: 'generated documents',
    run: async () => {
      // Only here: it loads product code, and the other steps must be able to say what is wrong with that.
      const { formatSettingsReference } = await import('./format-settings-reference.ts')
      const { formatMetricsReference } = await import('./format-metrics-reference.ts')
      return [
        checkDocument('docs/operations/settings.md', formatSettingsReference()),
        checkDocument('docs/licences.md', formatLicences(readLock())),
        checkDocument('docs/operations/metrics.md', formatMetricsReference()),
        ...listDashboardFiles().map(({ name, text }) => checkDocument(`deploy/grafana/dashboards/${name}`, text)),
      ]
        .filter((problem) => problem !== '')
        .join('\n')
    },
  },
]

function readLock(): Lock {
  return JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock
}

function checkDocument(path: string, wanted: string): string {
  const file = join(ROOT, path)
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return ''
  if (!isWriting) return `${path} is not what its source says: npm run check -- --write`
  writeFileSync(file, wanted)
  return ''
}

const results = await runSteps(steps, {
  atOnce: AT_ONCE,
  onDone: ({ name, problem, seconds }) => {
    console.log(`${problem === '' ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`)
    if (problem !== '') console.log(problem.replace(/^/gm, '       '))
  },
})
const failed = results.filter((result) => result.problem !== '')
console.log(
  failed.length === 0 ? 'Checked: all well' : `Checked: ${failed.length} failed (${failed.map((one) => one.name).join(', ')})`,
)
process.exitCode = failed.length === 0 ? 0 : 1
