import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { createControlClient } from './control-client.ts'
import { findControl } from './find-control.ts'
import type { ProgramContext, Run, VerbOptions } from './program-context.ts'
import { createTerminal } from './terminal.ts'
import type { QueryContext } from './verbs/query-context.ts'

export function verb(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).option('--json', 'one JSON object on standard output', false)
}

export function queryVerb(parent: Command, context: ProgramContext, name: string, description: string): Command {
  return verb(parent, name, description)
    .option('--config <file>', 'gatehouse.yaml', context.env.GATEHOUSE_CONFIG)
    .option('--url <url>', "address of control's API")
    .option('--token-file <file>', 'its token')
    .addOption(stateOption(context))
}

export function stateOption(context: ProgramContext): Option {
  return new Option('--state <directory>', 'where `up` keeps its own files')
    .argParser((path: string) => resolve(context.cwd, path))
    .default(join(context.cwd, '.gatehouse'))
}

export function action(context: ProgramContext, run: Run): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const options = given.at(-2) as VerbOptions
    const texts = given.slice(0, -2) as string[]
    // Commander hands over the arguments, then the options, then the command.
    const terminal = createTerminal(context.streams, { quiet: false })
    context.onExitCode(await run(options, terminal, ...texts))
  }
}

export function query(
  context: ProgramContext,
  run: (options: VerbOptions, to: QueryContext, ...rest: string[]) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return action(context, async (options, terminal, ...texts) => {
    const address = await findControl({
      url: options.url,
      tokenFile: options.tokenFile,
      config: options.config,
      stateDirectory: options.state,
      env: context.env,
    })
    await using control = await createControlClient(address, context.signal)
    return await run(options, { control, terminal, json: options.json, signal: context.signal }, ...texts)
  })
}
