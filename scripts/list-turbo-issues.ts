/** The tests of all packages share one environment, which is no package: the one import out of a package that is meant. */
const MEANT = /import `(?:\.\.\/)+test\/environment\/[a-z-]+\.ts` leaves the/

/**
 * The issues in the output of `turbo boundaries` that are not meant, each as turbo prints it. Throws nothing: output of
 * another form than expected comes back whole, so that a change of turbo can hide nothing.
 */
export function listTurboIssues(output: string): string[] {
  const found = /(\d+|no) issues? found/.exec(output)?.[1]
  const issues = output.split(/^(?= {2}[x×] )/m).slice(1)
  if (found === undefined || Number(found === 'no' ? 0 : found) !== issues.length) return [output]
  return issues.filter((issue) => !MEANT.test(issue))
}
