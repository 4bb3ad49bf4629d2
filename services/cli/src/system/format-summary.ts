import { printable } from '../terminal.ts'
import type { DemoSummary } from './summarize-system.ts'

/** The summary of a demo for people: what was found, what was done, whether it is right, how fast. */
export function formatSummary(summary: DemoSummary): string {
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
  const rows: [string, string][] = [
    ['Devices', `${summary.devices} in ${summary.mailboxes} mailboxes (seed ${summary.seed})`],
    ['Decisions', list(summary.decisions.byAccess)],
    ['Reasons', list(summary.decisions.byReason)],
    ['Cmdlets', `${summary.cmdletsSent}, least possible ${summary.cmdletsLeast} (${list(summary.cmdlets)})`],
    ['Graph requests', `${summary.graphRequests}, least possible ${summary.graphRequestsLeast}`],
    ['Mails', `${summary.mails}, sent twice ${summary.mailsTwice}`],
    ['Shells', `${summary.mostShells} at most, ${summary.runspaces} runspaces for writes`],
    [
      'First sync',
      `${summary.writes} writes in ${summary.syncSeconds} s; ideal ${summary.idealSeconds} s; ratio ${summary.ratio}`,
    ],
    ['Second sync', `${summary.secondSync.writes} writes in ${summary.secondSync.seconds} s`],
    ['Peak memory', `${list(summary.peakMemoryMiB)} MiB`],
    ['Dead letters', String(summary.deadLetters)],
    ['Wrong devices', String(summary.wrong)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${printable(text)}`).join('\n')
}
