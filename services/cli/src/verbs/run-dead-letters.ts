import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { PermanentError } from '@gatehouse/messages'
import { formatRows } from '../format-rows.ts'
import type { VerbOptions } from '../program-context.ts'
import { printable } from '../terminal.ts'
import { deadLetterFilterOf, deadLetterQueryOf, type FilterOptions } from './dead-letter-filter-of.ts'
import { formatSelection, type SelectionView } from './format-selection.ts'
import type { QueryContext } from './query-context.ts'

type Rows = { value: Record<string, unknown>[] }

const GROUP_COLUMNS = ['count', 'service', 'code', 'errorClass', 'type', 'oldest', 'newest', 'sample']
const LETTER_COLUMNS = ['messageId', 'service', 'type', 'reason', 'errorCode', 'attempts', 'replays', 'deadAt']

/** What died, in groups or one by one. Reading spends nothing of it. */
export async function runList(options: FilterOptions & { each: boolean; top: number }, context: QueryContext): Promise<number> {
  const filter = deadLetterQueryOf(options)
  if (options.each) {
    const page = (await context.control.get('/api/deadLetters', { ...filter, top: options.top })) as Rows
    context.terminal.print(context.json ? JSON.stringify(page) : formatRows(page.value, LETTER_COLUMNS))
    return 0
  }
  const groups = (await context.control.get('/api/deadLetters/groups', filter)) as Rows & { matched: number; total: number }
  if (context.json) {
    context.terminal.print(JSON.stringify(groups))
    return 0
  }
  const rows = groups.value.map((group) => ({ ...group, sample: (group['sample'] as { id: string }).id }))
  context.terminal.print(formatRows(rows, GROUP_COLUMNS))
  context.terminal.note(`${groups.matched} of ${groups.total} dead letters`)
  return 0
}

/** One dead letter, whole. */
export async function runShow({ id }: { id: string }, context: QueryContext): Promise<number> {
  const letter = await context.control.get(`/api/deadLetters/${encodeURIComponent(id)}`)
  context.terminal.print(context.json ? JSON.stringify(letter) : printable(JSON.stringify(letter, null, 2)))
  return 0
}

export async function runArchive({ top }: { top: number }, context: QueryContext): Promise<number> {
  const page = (await context.control.get('/api/deadLetters/archive', { top })) as Rows
  const columns = ['id', 'service', 'messageId', 'type', 'reason', 'discardedBy', 'discardedAt', 'restoredAt']
  context.terminal.print(context.json ? JSON.stringify(page) : formatRows(page.value, columns))
  return 0
}

export async function runActions({ top }: { top: number }, context: QueryContext): Promise<number> {
  const page = (await context.control.get('/api/deadLetters/actions', { top })) as Rows
  const columns = ['at', 'actor', 'action', 'queue', 'detail']
  context.terminal.print(context.json ? JSON.stringify(page) : formatRows(page.value, columns))
  return 0
}

type DiscardOptions = FilterOptions & Pick<VerbOptions, 'reason' | 'max' | 'execute' | 'hash' | 'yes'>

/** Moves letters into the archive, once it is told to. */
export async function runDiscard(options: DiscardOptions, context: QueryContext): Promise<number> {
  const { reason, max, execute, hash, yes } = options
  const request = { filter: deadLetterFilterOf(options), reason, max, execute, hash, yes }
  const answer = (await context.control.post('/api/deadLetters/discard', request)) as SelectionView & { discarded?: number }
  if (context.json) context.terminal.print(JSON.stringify(answer))
  else if (answer.discarded !== undefined) context.terminal.print(`Discarded ${answer.discarded} of ${answer.count}`)
  else context.terminal.print(formatSelection(answer, 'discard'))
  return answer.discarded === undefined || answer.discarded === answer.count ? 0 : 1
}

/** Puts letters of the archive back into their dead queues. */
export async function runRestore({ ids }: { ids: string[] }, context: QueryContext): Promise<number> {
  const answer = (await context.control.post('/api/deadLetters/restore', { ids })) as { restored: number; unknown: string[] }
  if (context.json) context.terminal.print(JSON.stringify(answer))
  else context.terminal.print(`Restored ${answer.restored}`)
  for (const id of answer.unknown) context.terminal.note(`The archive holds no letter ${id} that is not restored`)
  return answer.unknown.length === 0 ? 0 : 1
}

/** Writes letters as lines of JSON to a file or to standard output. */
export async function runExport(
  options: FilterOptions & { output: string | undefined },
  context: QueryContext,
): Promise<number> {
  const query = deadLetterQueryOf(options)
  if (options.output !== undefined) {
    await context.control.download('/api/deadLetters/export', query, createWriteStream(options.output, { mode: 0o600 }))
    context.terminal.note(`Written to ${options.output}`)
    return 0
  }
  const lines = new PassThrough()
  lines.setEncoding('utf8')
  const printing = print(lines, context)
  await context.control.download('/api/deadLetters/export', query, lines)
  await printing
  return 0
}

async function print(lines: PassThrough, { terminal }: QueryContext): Promise<void> {
  let rest = ''
  for await (const chunk of lines) {
    rest += chunk
    const end = rest.lastIndexOf('\n')
    if (end < 0) continue
    terminal.print(rest.slice(0, end))
    rest = rest.slice(end + 1)
  }
}

/** Puts exported letters into their dead queues. */
export async function runImport({ file }: { file: string }, context: QueryContext): Promise<number> {
  const answer = (await context.control.postLines('/api/deadLetters/import', await readText(file))) as { imported: number }
  context.terminal.print(context.json ? JSON.stringify(answer) : `Imported ${answer.imported}`)
  return 0
}

/** Makes a new message of a letter. */
export async function runEdit({ id, patch }: { id: string; patch: string }, context: QueryContext): Promise<number> {
  const text = patch.startsWith('@') ? await readText(patch.slice(1)) : patch
  const path = `/api/deadLetters/${encodeURIComponent(id)}/edit`
  const answer = (await context.control.post(path, { patch: parsePatch(text) })) as { messageId: string; body: unknown }
  if (context.json) context.terminal.print(JSON.stringify(answer))
  else context.terminal.print(printable(`It is ${answer.messageId} now: ${JSON.stringify(answer.body)}`))
  return 0
}

function parsePatch(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new PermanentError('usage', '--patch: it is not JSON', { cause })
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new PermanentError('usage', `${file} cannot be read`, { cause })
  }
}
