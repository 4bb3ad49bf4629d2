import type { ExchangeValue } from '../organization/exchange-object.ts'
import { type CmdletOutcome, type CmdletRun, outcome, textOf } from './cmdlet.ts'
import { bindingError } from './error-records.ts'
import { type OpathFilter, parseOpathFilter } from './opath-filter.ts'

const RESULT_SIZE_DEFAULT = 1000

const FIRST_THOUSAND =
  'By default, only the first 1000 items are returned. Use the ResultSize parameter to specify the number of items returned. To return all items, specify "-ResultSize Unlimited". Be aware that, depending on the actual number of items, returning all items can take a long time and consume a large amount of memory. Also, we don\'t recommend storing the results in a variable. Instead, pipe the results to another task or script to perform batch changes.'

const MORE_AVAILABLE =
  'There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.'

/** The common end of every Get: -Filter, then -ResultSize with its warnings. */
export function readObjects<T>(
  run: CmdletRun,
  objects: readonly T[],
  o: {
    print: (object: T) => string
    properties: (object: T) => ReadonlyMap<string, ExchangeValue>
    filterable: readonly string[]
  },
): CmdletOutcome {
  let filter: OpathFilter | undefined
  const text = textOf(run.parameters, 'Filter')
  if (text !== undefined) {
    try {
      filter = parseOpathFilter(text, o.filterable)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const message = `Cannot bind parameter 'Filter' to the target. Exception setting "Filter": "${reason}"`
      return outcome({ failed: bindingError(run.cmdlet, 'ParameterBindingFailed', message, 'Filter') })
    }
  }
  const size = run.parameters.get('ResultSize')
  const limit = run.parameters.has('ResultSize')
    ? typeof size === 'number'
      ? size
      : Number.POSITIVE_INFINITY
    : RESULT_SIZE_DEFAULT
  const chosen = filter === undefined ? objects : objects.filter((object) => filter(o.properties(object)))
  const warnings: string[] = []
  if (chosen.length > limit) warnings.push(run.parameters.has('ResultSize') ? MORE_AVAILABLE : FIRST_THOUSAND)
  const output: string[] = []
  for (let index = 0; index < Math.min(chosen.length, limit); index += 1) output.push(o.print(chosen[index] as T))
  return outcome({ output, warnings })
}
