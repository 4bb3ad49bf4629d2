import type { Execution } from './replay-request.ts'
import type { Selection } from './select-letters.ts'

/** Why what was asked for is not done; `problem` is for people, `code` for programs. */
export type Refusal = { readonly kind: 'refused'; readonly code: string; readonly problem: string }

/**
 * What speaks against executing this selection: that nobody has said which letters are meant, or that they are not those that
 * were shown any more.
 */
export function refuseExecution({ hash, yes }: Execution, selection: Selection): Refusal | undefined {
  if (hash === undefined && !yes)
    return refusal(
      'hash-needed',
      `Say --hash ${selection.hash} for these ${selection.count} letters, or --yes for whatever is there`,
    )
  if (hash === undefined || hash === selection.hash) return undefined
  return refusal(
    'selection-changed',
    `The selection is not the one of hash ${hash} any more: it is ${selection.hash} now, with ${selection.count} letters. Look again before you execute`,
  )
}

export function refusal(code: string, problem: string): Refusal {
  return { kind: 'refused', code, problem }
}
