import type { Command } from 'commander'
import { decimal, duration, listOf, positive } from './option-values.ts'
import type { ProgramContext } from './program-context.ts'
import { query, queryVerb } from './verb.ts'
import * as letters from './verbs/run-dead-letters.ts'
import * as replays from './verbs/run-replays.ts'

/** What one reads, decides and does about the messages that died. */
export function addDeadLetters(program: Command, context: ProgramContext): void {
  const parent = program.command('dead-letters').description('The messages that died: look, replay, discard, restore, edit')
  addReads(parent, context)
  addReplays(parent, context)
  addChanges(parent, context)
}

/** A verb that is about the letters that satisfy a filter. */
function filterVerb(parent: Command, context: ProgramContext, name: string, description: string): Command {
  return queryVerb(parent, context, name, description)
    .option('--service <name>', 'of this service, or `unrouted`')
    .option('--code <code>', "the error's code, or the reason of the death")
    .option('--error-class <name>', 'PermanentError, RetryableError, …')
    .option('--type <type>', 'of message')
    .option('--organization-id <id>')
    .option('--mailbox-id <id>')
    .option('--older-than <time>', 'died longer ago than 90s, 15m, 2h, 3d', duration)
    .option('--newer-than <time>', 'died since', duration)
    .option('--id <id>', 'this message; may be given again', listOf, [])
    .option('--replay-id <id>', 'sent by this replay and dead again')
}

/** A verb that only shows what it would do until it is told to. */
function executableVerb(parent: Command, context: ProgramContext, name: string, description: string): Command {
  return filterVerb(parent, context, name, description)
    .option('--max <n>', 'no more than these, the oldest first', positive)
    .option('--execute', 'do it; without this it is only shown', false)
    .option('--hash <hash>', 'of the selection that was shown')
    .option('--yes', 'whatever the selection is by then', false)
}

function addReads(parent: Command, context: ProgramContext): void {
  filterVerb(parent, context, 'list', 'Groups of them: service, error and type')
    .option('--each', 'every message by itself', false)
    .option('--top <n>', 'how many of them', positive, 100)
    .action(query(context, (options, to) => letters.runList(options, to)))
  queryVerb(parent, context, 'show', 'One of them, whole')
    .argument('<id>')
    .action(query(context, (_, to, id) => letters.runShow({ id: id ?? '' }, to)))
  queryVerb(parent, context, 'archive', 'What was discarded or edited')
    .option('--top <n>', 'how many', positive, 100)
    .action(query(context, ({ top }, to) => letters.runArchive({ top }, to)))
  queryVerb(parent, context, 'actions', 'Who did what to them')
    .option('--top <n>', 'how many', positive, 100)
    .action(query(context, ({ top }, to) => letters.runActions({ top }, to)))
}

function addReplays(parent: Command, context: ProgramContext): void {
  executableVerb(parent, context, 'replay', 'Sends them again')
    .option('--rate <n>', 'letters a second', decimal)
    .option('--canary <n>', 'so many first; the rest only if none of them is dead again', positive)
    .option('--canary-seconds <n>', 'how long those are watched', decimal, 30)
    .option('--returned-percent <n>', 'stop when more than this part is dead again', decimal)
    .option('--to <service>', 'or <service>.urgent, instead of where each came from')
    .option('--detach', 'do not wait for the end', false)
    .action(query(context, (options, to) => replays.runReplay(options, to)))
  queryVerb(parent, context, 'replays', 'The replays there were')
    .option('--top <n>', 'how many', positive, 20)
    .action(query(context, ({ top }, to) => replays.runReplays({ top }, to)))
  queryVerb(parent, context, 'watch', 'Follows a replay to its end')
    .argument('<replayId>')
    .action(query(context, (_, to, replayId) => replays.runWatch({ replayId: replayId ?? '' }, to)))
  queryVerb(parent, context, 'stop', 'Stops a replay; what it has not sent stays')
    .argument('<replayId>')
    .action(query(context, (_, to, replayId) => replays.runStop({ replayId: replayId ?? '' }, to)))
  queryVerb(parent, context, 'resume', 'Lets a stopped replay go on')
    .argument('<replayId>')
    .option('--skip-canary', 'although the first ones came back', false)
    .option('--detach', 'do not wait for the end', false)
    .action(query(context, (options, to, replayId) => replays.runResume({ ...options, replayId: replayId ?? '' }, to)))
}

function addChanges(parent: Command, context: ProgramContext): void {
  executableVerb(parent, context, 'discard', 'Moves them into the archive')
    .requiredOption('--reason <text>', 'why; it is kept with them')
    .action(query(context, (options, to) => letters.runDiscard(options, to)))
  queryVerb(parent, context, 'restore', 'Puts letters of the archive back')
    .argument('<ids...>', 'their ids in the archive, or message ids')
    .action(query(context, (_, to, ids) => letters.runRestore({ ids: [ids ?? []].flat() }, to)))
  filterVerb(parent, context, 'export', 'Writes them as lines of JSON; they stay where they are')
    .option('--output <file>', 'instead of standard output')
    .action(query(context, (options, to) => letters.runExport(options, to)))
  queryVerb(parent, context, 'import', 'Puts exported letters into their dead queues')
    .argument('<file>')
    .action(query(context, (_, to, file) => letters.runImport({ file: file ?? '' }, to)))
  queryVerb(parent, context, 'edit', 'Makes a new message of one, by a JSON patch')
    .argument('<id>')
    .requiredOption('--patch <json>', 'an RFC 6902 patch, or @file')
    .action(query(context, ({ patch }, to, id) => letters.runEdit({ id: id ?? '', patch }, to)))
}
