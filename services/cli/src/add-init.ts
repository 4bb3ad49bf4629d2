import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Given } from './init/find-answers.ts'
import { GIVEN_SECRETS, QUESTIONS } from './init/installation.ts'
import { natural, positive } from './option-values.ts'
import type { ProgramContext, VerbOptions } from './program-context.ts'
import { action, verb } from './verb.ts'
import { runInit } from './verbs/run-init.ts'

/** `gatehouse init`: what is not given as an option is asked for at the terminal. */
export function addInit(program: Command, context: ProgramContext): void {
  const init = verb(
    program,
    'init',
    'Writes what `docker compose up` needs: .env, gatehouse.yaml, secrets and broker definitions',
  )
    .option('--directory <path>', 'where docker-compose.yml is', '.')
    .option('--demo', 'for the simulators of Exchange and Microsoft, with nothing to ask', false)
    .option('--devices <n>', 'of the demo: device partnerships', positive, 5_000)
    .option('--latency-ms <n>', 'of the demo: how long each Exchange cmdlet takes', natural, 100)
    .option('--seed <n>', 'of the demo: seed of the population', natural, 7)
    .option('--runspaces <n>', 'of the demo: PowerShell runspaces for writes', positive, 12)
  for (const { flag, text } of [...QUESTIONS, ...GIVEN_SECRETS]) init.option(flag, text)
  init.action(
    action(context, (options, terminal) =>
      runInit(
        {
          directory: resolve(context.cwd, options.directory),
          demo: options.demo ? options : undefined,
          given: givenOf(options),
          json: options.json,
        },
        { terminal, ask: context.ask },
      ),
    ),
  )
}

function givenOf(options: VerbOptions): Given {
  const { tenantId, clientId, organization, exchangeUrl, exchangeUser, ewsUrl, mailUser, includedGroups } = options
  const { clientSecretFile, exchangePasswordFile, mailPasswordFile } = options
  return {
    answers: withoutUndefined({
      tenantId,
      clientId,
      organization,
      exchangeUrl,
      exchangeUser,
      ewsUrl,
      mailUser,
      includedGroups,
    }),
    secretFiles: withoutUndefined({
      'graph-client-secret': clientSecretFile,
      'exchange-password': exchangePasswordFile,
      'mail-password': mailPasswordFile,
    }),
  }
}

function withoutUndefined<K extends string>(values: Record<K, string | undefined>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Record<K, string>>
}
