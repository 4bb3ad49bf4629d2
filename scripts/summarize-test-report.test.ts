import { describe, expect, it } from 'vitest'
import { formatTestSummary, summarizeTestReport, type TestReport } from './summarize-test-report.ts'

const file = (status: string, ...tests: string[]): TestReport['testResults'][number] => ({
  name: 'x.test.ts',
  status,
  assertionResults: tests.map((test, index) => ({ fullName: `test ${index}`, status: test })),
})

describe('the summary of a test run', () => {
  it('counts what passed, failed and was skipped, and names the skipped', () => {
    const report = {
      success: false,
      testResults: [file('failed', 'passed', 'failed', 'skipped'), file('passed', 'passed', 'todo')],
    }

    expect(formatTestSummary(summarizeTestReport(report, 1))).toBe(
      'skipped: test 2\nskipped: test 1\n2 passed, 1 failed, 2 skipped',
    )
  })

  it('counts a file that could not be loaded, or whose hooks failed, as a failure', () => {
    const report = { success: false, testResults: [file('failed'), file('failed', 'passed')] }

    expect(summarizeTestReport(report, 1)).toEqual({ passed: 1, failed: 2, skipped: [] })
  })

  it('counts a run that ended badly as a failure, whatever its tests say', () => {
    const report = { success: true, testResults: [file('passed', 'passed')] }

    expect(summarizeTestReport(report, 0).failed).toBe(0)
    expect(summarizeTestReport(report, 1).failed).toBe(1)
    expect(summarizeTestReport({ ...report, success: false }, 0).failed).toBe(1)
    expect(summarizeTestReport(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: [] })
    expect(summarizeTestReport(undefined, 0).failed).toBe(1)
  })
})
