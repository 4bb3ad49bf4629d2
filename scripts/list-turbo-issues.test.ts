import { describe, expect, it } from 'vitest'
import { listTurboIssues } from './list-turbo-issues.ts'

const MEANT = `  x import \`../../../test/environment/create-vhost.ts\` leaves the package
   ,-[/checkout/libs/worker/test/run-worker.test.ts:6:36]
`
const WRONG = `  x import \`../../discovery/src/plan.ts\` leaves the package
   ,-[/checkout/services/enforcement/src/plan.ts:8:37]
`
const output = (count: string, ...issues: string[]) =>
  `Checking packages...\n${issues.join('\n')}\nChecked 5 files in 2 packages, ${count} found\n`

describe('the issues that turbo finds', () => {
  it('are none when there are none', () => {
    expect(listTurboIssues(output('no issues'))).toEqual([])
  })

  it('do not count where a test uses the environment that all share', () => {
    expect(listTurboIssues(output('2 issues', MEANT, MEANT))).toEqual([])
    expect(listTurboIssues(output('2 issues', MEANT, WRONG))).toEqual([expect.stringContaining('discovery/src/plan.ts')])
    expect(listTurboIssues(output('1 issue', WRONG))).toHaveLength(1)
  })

  it('come back whole when the output is not of the form that is known', () => {
    for (const odd of ['', 'panic!', output('3 issues', MEANT)]) expect(listTurboIssues(odd)).toEqual([odd])
  })
})
