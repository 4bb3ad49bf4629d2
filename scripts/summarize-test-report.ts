import { relative } from 'node:path'

/** The parts of vitest's JSON report that are read here. */
export type TestReport = {
  readonly success: boolean
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

export type TestFailure = { name: string; reason: string }
export type TestSummary = { passed: number; failures: TestFailure[]; skipped: string[] }

const SKIPPED = ['skipped', 'pending', 'todo', 'disabled']
const REASON_LINES = 12
const REASON_LENGTH = 1_500
const UNEXPLAINED: TestFailure = {
  name: 'the run',
  reason: 'ended badly though no test did: no report, an error nobody caught, or a teardown that failed; its lines stand above',
}

/**
 * Counts the tests of a report. A file that could not be loaded, or whose hooks failed, counts as one failure; so does a
 * missing report, and a run that ended badly though no test did (an error nobody caught, a teardown that failed). Failures are
 * named by their path below `root`.
 */
export function summarizeTestReport(report: TestReport | undefined, exitCode: number, root: string): TestSummary {
  const files = report?.testResults ?? []
  const tests = files.flatMap((file) => file.assertionResults)
  const failures = files.flatMap((file): TestFailure[] => {
    const failed = file.assertionResults.filter((test) => test.status === 'failed')
    const path = relative(root, file.name)
    if (failed.length === 0 && file.status === 'failed') return [{ name: path, reason: file.message ?? '' }]
    return failed.map((test) => ({
      name: `${path}: ${test.fullName}`,
      reason: test.failureMessages?.join('\n') ?? '',
    }))
  })
  const isUnexplained = failures.length === 0 && (report === undefined || !report.success || exitCode !== 0)
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failures: isUnexplained ? [UNEXPLAINED] : failures,
    skipped: tests.filter((test) => SKIPPED.includes(test.status)).map((test) => test.fullName),
  }
}

/** The last lines of a run: every skipped and every failed test by its name, the latter with its reason, then the counts. */
export function formatTestSummary({ passed, failures, skipped }: TestSummary): string {
  return [
    ...skipped.map((name) => `skipped: ${name}`),
    ...failures.map(({ name, reason }) => [`failed: ${name}`, ...shorten(reason)].join('\n  ')),
    `${passed} passed, ${failures.length} failed, ${skipped.length} skipped`,
  ].join('\n')
}

function shorten(reason: string): string[] {
  return reason.slice(0, REASON_LENGTH).split('\n').filter(Boolean).slice(0, REASON_LINES)
}
