/** The sum of the samples of a metrics page that a pattern finds; its first group is the value. */
export function sumSamples(page: string, pattern: RegExp): number {
  return [...page.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0)
}
