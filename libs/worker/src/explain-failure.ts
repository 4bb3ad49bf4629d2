import { PermanentError, RetryableError } from '@gatehouse/messages'

const CAUSES_MAX = 3

/**
 * What went wrong, in one line for people, with what it came from. Undefined for what is neither of our two errors: nobody has
 * thought of it, so only its stack helps.
 */
export function explainFailure(error: unknown): string | undefined {
  if (!(error instanceof PermanentError || error instanceof RetryableError)) return undefined
  const said = [error.message]
  let { cause } = error
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth++) {
    const text = textOf(cause)
    const words = 'code' in cause && typeof cause.code === 'string' ? [text, cause.code] : [text]
    if (!words.some((word) => said.some((one) => one.includes(word)))) said.push(text)
    cause = cause.cause
  }
  // A list of problems has a heading and a line for each.
  return said.join(': ').replace(/\n\s*/, ': ').replaceAll(/\n\s*/g, ' | ')
}

/** Where a name has several addresses, node:net gives one error for all that has no text of its own. */
function textOf(error: Error): string {
  return error.message === '' ? String((error as NodeJS.ErrnoException).code ?? error.name) : error.message
}
