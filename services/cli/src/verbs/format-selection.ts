import { formatRows } from '../format-rows.ts'

/** The letters that a verb would act on, as the API shows them. */
export type SelectionView = {
  count: number
  hash: string
  groups: Record<string, unknown>[]
  targets: Record<string, unknown>[]
  refused: { count: number; samples: Record<string, unknown>[] }
}

const GROUP_COLUMNS = ['count', 'service', 'code', 'errorClass', 'type', 'oldest', 'newest']

/** What would happen to which letters, and how to make it happen. */
export function formatSelection(selection: SelectionView, verb: 'replay' | 'discard'): string {
  const { count, hash, groups, targets, refused } = selection
  const parts = count === 0 ? ['No dead letter satisfies the filter'] : [formatRows(groups, GROUP_COLUMNS)]
  if (targets.length > 0) parts.push(`They would go to:\n${formatRows(targets, ['count', 'queue'])}`)
  if (refused.count > 0)
    parts.push(`${refused.count} cannot be sent:\n${formatRows(refused.samples, ['id', 'service', 'code', 'why'])}`)
  if (count > 0) parts.push(`Nothing has happened. To ${verb} these ${count}, say it again with --execute --hash ${hash}`)
  return parts.join('\n\n')
}
