import { PermanentError } from '@gatehouse/messages'
import { Command, InvalidArgumentError } from 'commander'
import { addDeadLetters } from './add-dead-letters.ts'
import { addInit } from './add-init.ts'
import { listOf, natural, oneOf, positive } from './option-values.ts'
import { WORKER_NAMES, type WorkerName } from './processes/start-worker-process.ts'
import type { ProgramContext, VerbOptions } from './program-context.ts'
import { action, query, queryVerb, stateOption, verb } from './verb.ts'
import { runAttachedDemo } from './verbs/run-attached-demo.ts'
import { runDemo } from './verbs/run-demo.ts'
import { runExchangeInvoke } from './verbs/run-exchange-invoke.ts'
import { runMigrate } from './verbs/run-migrate.ts'
import * as queries from './verbs/run-queries.ts'
import { runSimulate } from './verbs/run-simulate.ts'
import { runStatus } from './verbs/run-status.ts'
import { runTopologyApply } from './verbs/run-topology-apply.ts'
import { runUp } from './verbs/run-up.ts'

const SYNC_WATCH_MS = 6 * 60 * 60_000

/** The `gatehouse` command (design §12). Every verb has `--json`: one object on standard output, everything else on standard error. */
export function createProgram(context: ProgramContext): Command {
  const program = new Command('gatehouse').description('Decides which phones may synchronise mail from an on-premises Exchange')
  // Before the verbs are added: each takes these over when it is made. Wrong usage then ends with our exit code and not with 1.
  program.exitOverride().showHelpAfterError().enablePositionalOptions()
  addServers(program, context)
  addSetUp(program, context)
  addQueries(program, context)
  addDeadLetters(program, context)
  addExchange(program, context)
  return program
}

function addServers(program: Command, context: ProgramContext): void {
  verb(program, 'demo', 'The whole system on this machine, against simulated Exchange and Microsoft')
    .option('--devices <n>', 'device partnerships', positive, 5_000)
    .option('--latency-ms <n>', 'how long each Exchange cmdlet takes', natural, 100)
    .option('--seed <n>', 'seed of the population', natural, 7)
    .option('--runspaces <n>', 'PowerShell runspaces for writes', positive, 12)
    .option('--scale <worker=n,…>', 'copies of workers, or one number for all', scale, {})
    .option('--faults <file>', 'a fault plan for the simulators')
    .option('--engine <name>', 'remoting (ours) or host (a PowerShell of this machine)', oneOf(['remoting', 'host']))
    .option('--executable <path>', 'that PowerShell; else one is built with the .NET SDK')
    .option('--exit', 'end after the summary instead of staying up', false)
    .option('--attach', 'start nothing: the two syncs and the summary, for the system of --config', false)
    .option('--config <file>', 'with --attach: gatehouse.yaml', context.env.GATEHOUSE_CONFIG)
    .option('--done-file <file>', 'with --attach: made when everything is right')
    .action(
      action(context, (options, terminal) => {
        const to = { env: context.env, terminal, signal: context.signal }
        return options.attach ? runAttachedDemo(options, to) : runDemo(demoOptionsOf(options), to)
      }),
    )
  verb(program, 'up', 'Every worker, against the endpoints that the settings name')
    .requiredOption('--config <file>', 'gatehouse.yaml')
    .option('--scale <worker=n,…>', 'copies of workers, or one number for all', scale, {})
    .addOption(stateOption(context))
    .action(
      action(context, (options, terminal) =>
        runUp(
          { config: options.config, copies: options.scale, stateDirectory: options.state, json: options.json },
          { env: context.env, terminal, signal: context.signal },
        ),
      ),
    )
  verb(program, 'simulate', 'Serves the simulators of Exchange and Microsoft')
    .argument('<what>', 'exchange, microsoft or all', oneOf(['exchange', 'microsoft', 'all']))
    .option('--port <n>', '0 picks a free one', natural, 0)
    .option('--devices <n>', 'device partnerships', positive, 5_000)
    .option('--latency-ms <n>', 'how long each cmdlet takes', natural, 100)
    .option('--seed <n>', 'seed of the population', natural, 7)
    .option('--faults <file>', 'a fault plan')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--microsoft-port <n>', 'with all; 0 picks a free one', natural, 0)
    .option('--tls-key <file>', 'with --tls-certificate: speak https')
    .option('--tls-certificate <file>', 'PEM')
    .action(
      action(context, (options, terminal, what) =>
        runSimulate(
          { ...demoOptionsOf(options), ...options, what: what as 'all', tls: tlsOf(options) },
          { terminal, signal: context.signal },
        ),
      ),
    )
}

function addSetUp(program: Command, context: ProgramContext): void {
  addInit(program, context)
  verb(program, 'migrate', "Brings the database to this build's schema")
    .requiredOption('--config <file>', 'gatehouse.yaml')
    .action(action(context, (options, terminal) => runMigrate(options, { env: context.env, terminal })))
  const topology = program.command('topology').description('The exchanges, queues, policies and users at the broker')
  verb(topology, 'apply', 'Declares all of it; what is there already stays')
    .requiredOption('--config <file>', 'gatehouse.yaml')
    .action(
      action(context, (options, terminal) => runTopologyApply(options, { env: context.env, terminal, signal: context.signal })),
    )
}

function addQueries(program: Command, context: ProgramContext): void {
  queryVerb(program, context, 'status', 'Connectors, the last sync runs, what waits where and what holds it up').action(
    query(context, (_, to) => runStatus(to)),
  )
  queryVerb(program, context, 'sync', 'Starts a sync')
    .argument('<kind>', 'quick (what changed) or full', oneOf(['quick', 'full']))
    .option('--organization <name>', 'only this one')
    .option('--watch', 'follow it to its end', false)
    .option('--confirmed', 'the brake is confirmed in advance', false)
    .action(
      query(context, (options, to, kind) =>
        queries.runSync(
          {
            ...(options as unknown as { organization?: string }),
            organization: options.organization,
            kind: kind as 'full',
            watch: options.watch,
            confirmed: options.confirmed,
            timeoutMs: SYNC_WATCH_MS,
          },
          to,
        ),
      ),
    )
  queryVerb(program, context, 'confirm', 'Confirms a sync run that the brake holds')
    .argument('<syncRunId>')
    .action(query(context, (_, to, syncRunId) => queries.runConfirm({ syncRunId: syncRunId ?? '' }, to)))
  queryVerb(program, context, 'devices', 'The devices, their state in Exchange and the decision')
    .option('--search <text>', 'device id, mailbox or model')
    .option('--access-state <state>', 'allowed, blocked or quarantined')
    .option('--top <n>', 'how many', positive, 50)
    .option('--skip <n>', 'how many to leave out first', natural, 0)
    .action(query(context, (options, to) => queries.runDevices({ ...options, state: options.accessState }, to)))
  queryVerb(program, context, 'why', 'The whole story of a decision')
    .argument('<subject>', 'a device id, or a mailbox address')
    .action(query(context, (_, to, subject) => queries.runWhy({ subject: subject ?? '' }, to)))
}

function addExchange(program: Command, context: ProgramContext): void {
  const exchange = program.command('exchange').description('Exchange itself')
  verb(exchange, 'invoke', 'One cmdlet through the same engine that the workers use')
    .argument('<cmdlet>')
    .option('--parameters <json>', 'a JSON object; {"Add":[…]} becomes a hashtable, true a switch', '{}')
    .option('--config <file>', 'gatehouse.yaml', context.env.GATEHOUSE_CONFIG)
    .option('--organization <name>', 'which organisation of the settings')
    .option('--url <url>', 'a WSMan endpoint instead of the settings')
    .option('--user <name>')
    .option('--password-file <file>')
    .option('--ca-file <file>', 'the certificate authority of the endpoint')
    .option('--certificate-sha256 <hex>', 'fingerprint of the one certificate the endpoint may have')
    .option('--authentication <how>', 'basic or negotiate (Kerberos)', oneOf(['basic', 'negotiate']))
    .option('--proxy <url>', 'an HTTP proxy on the way')
    .option('--engine <name>', 'remoting (ours) or host (a PowerShell of this machine)', oneOf(['remoting', 'host']))
    .option(
      '--transport <name>',
      'of the remoting engine: wsman or stdio (a PowerShell of this machine)',
      oneOf(['wsman', 'stdio']),
    )
    .option('--executable <path>', 'that PowerShell')
    .option('--configuration-file <file>', 'its session configuration, with --transport stdio')
    .option('--module <path>', 'a module it imports, with --engine host', listOf, [])
    .option('--trace', 'a transcript of every message on standard error, secrets masked', false)
    .option('--timeout-ms <n>', 'how long the cmdlet may take', positive, 120_000)
    .option('--view-entire-forest', 'first Set-ADServerSettings, as the workers do', false)
    .action(
      action(context, (options, terminal, cmdlet) =>
        runExchangeInvoke(
          { ...options, cmdlet: cmdlet ?? '' },
          {
            env: context.env,
            terminal,
            signal: context.signal,
          },
        ),
      ),
    )
}

function demoOptionsOf(options: VerbOptions): Parameters<typeof runDemo>[0] {
  return { ...options, engine: options.engine as 'remoting' | undefined, copies: options.scale, faultsFile: options.faults }
}

function tlsOf({ tlsKey, tlsCertificate }: VerbOptions): Parameters<typeof runSimulate>[0]['tls'] {
  if (tlsKey === undefined && tlsCertificate === undefined) return undefined
  if (tlsKey !== undefined && tlsCertificate !== undefined) return { keyFile: tlsKey, certificateFile: tlsCertificate }
  throw new PermanentError('usage', '--tls-key and --tls-certificate belong together')
}

/** `2` is two copies of every worker; `enforcement=2,discovery=1` names them. Control is always one: it owns the schedule. */
export function scale(text: string): Partial<Record<WorkerName, number>> {
  if (/^\d+$/.test(text)) return Object.fromEntries(WORKER_NAMES.map((name) => [name, positive(text)]))
  const copies: Partial<Record<WorkerName, number>> = {}
  for (const part of text.split(',')) {
    const [name, count] = part.split('=')
    if (!WORKER_NAMES.includes(name as WorkerName)) throw new InvalidArgumentError(`Workers are ${WORKER_NAMES.join(', ')}.`)
    copies[name as WorkerName] = positive(count ?? '')
  }
  return copies
}
