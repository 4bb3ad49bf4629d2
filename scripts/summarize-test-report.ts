/** The parts of vitest's JSON report that are read here. */
export type TestReport = {
  readonly success: boolean
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

export type TestSummary = { passed: number; failed: number; skipped: string[] }

const SKIPPED = ['skipped', 'pending', 'todo', 'disabled']

/**
 * Counts the tests of a report. A file that could not be loaded, or whose hooks failed, counts as one failure; so does a
 * missing report, and a run that ended badly though no test did (an error nobody caught, a teardown that failed).
 */
export function summarizeTestReport(report: TestReport | undefined, exitCode: number): TestSummary {
  const files = report?.testResults ?? []
  const tests = files.flatMap((file) => file.assertionResults)
  const lostFiles = files.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = tests.filter((test) => test.status === 'failed').length + lostFiles.length
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: failed === 0 && (report === undefined || !report.success || exitCode !== 0) ? 1 : failed,
    skipped: tests.filter((test) => SKIPPED.includes(test.status)).map((test) => test.fullName),
  }
}

/** The last lines of a run: every skipped test by its name, then the counts. */
export function formatTestSummary({ passed, failed, skipped }: TestSummary): string {
  return [...skipped.map((name) => `skipped: ${name}`), `${passed} passed, ${failed} failed, ${skipped.length} skipped`].join(
    '\n',
  )
}
