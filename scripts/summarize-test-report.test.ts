import { describe, expect, it } from 'vitest'
import { formatTestSummary, summarizeTestReport, type TestReport } from './summarize-test-report.ts'

const file = (status: string, ...tests: string[]): TestReport['testResults'][number] => ({
  name: '/checkout/x.test.ts',
  status,
  assertionResults: tests.map((test, index) => ({
    fullName: `test ${index}`,
    status: test,
    failureMessages: test === 'failed' ? ['Error: one line\n    at a line of code'] : [],
  })),
})

describe('the summary of a test run', () => {
  it('counts what passed, failed and was skipped, and names what did not pass', () => {
    const report = {
      success: false,
      testResults: [file('failed', 'passed', 'failed', 'skipped'), file('passed', 'passed', 'todo')],
    }

    expect(formatTestSummary(summarizeTestReport(report, 1, '/checkout'))).toBe(
      [
        'skipped: test 2',
        'skipped: test 1',
        'failed: x.test.ts: test 1',
        '  Error: one line',
        '      at a line of code',
        '2 passed, 1 failed, 2 skipped',
      ].join('\n'),
    )
  })

  it('counts a file that could not be loaded, or whose hooks failed, as a failure', () => {
    const report = { success: false, testResults: [{ ...file('failed'), message: 'no such file' }, file('failed', 'passed')] }

    expect(summarizeTestReport(report, 1, '/checkout')).toEqual({
      passed: 1,
      failures: [
        { name: 'x.test.ts', reason: 'no such file' },
        { name: 'x.test.ts', reason: '' },
      ],
      skipped: [],
    })
  })

  it('counts a run that ended badly as a failure, whatever its tests say', () => {
    const report = { success: true, testResults: [file('passed', 'passed')] }

    const unexplained = [{ name: 'the run', reason: expect.stringContaining('though no test did') }]

    expect(summarizeTestReport(report, 0, '/checkout').failures).toEqual([])
    expect(summarizeTestReport(report, 1, '/checkout').failures).toEqual(unexplained)
    expect(summarizeTestReport({ ...report, success: false }, 0, '/checkout').failures).toEqual(unexplained)
    expect(summarizeTestReport(undefined, 1, '/checkout')).toEqual({ passed: 0, failures: unexplained, skipped: [] })
    expect(summarizeTestReport(undefined, 0, '/checkout').failures).toEqual(unexplained)
  })

  it('shortens the reason of a failure that has too much to say', () => {
    const failures = [
      { name: 'a test', reason: Array.from({ length: 100 }, (_, line) => `${line} ${'x'.repeat(200)}`).join('\n') },
    ]
    const text = formatTestSummary({ passed: 0, failures, skipped: [] })

    expect(text.length).toBeLessThan(1_700)
    expect(text.split('\n').length).toBeLessThan(15)
    expect(text.endsWith('\n0 passed, 1 failed, 0 skipped')).toBe(true)
  })
})
