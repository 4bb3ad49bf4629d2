import { createPassword } from '../create-password.ts'
import { createSettings } from '../init/create-settings.ts'
import { type Ask, findAnswers, type Given } from '../init/find-answers.ts'
import { type DemoOptions, findDemoAnswers } from '../init/find-demo-answers.ts'
import { GIVEN_SECRETS, type GivenSecret } from '../init/installation.ts'
import { keepBrokerSecrets } from '../init/keep-broker-secrets.ts'
import { NewFiles } from '../init/new-files.ts'
import type { Terminal } from '../terminal.ts'

export type InitOptions = {
  readonly directory: string
  readonly demo: DemoOptions | undefined
  readonly given: Given
  readonly json: boolean
}

/**
 * Writes what `docker compose up` needs beside docker-compose.yml: `.env`, `gatehouse.yaml`, `secrets/` and `certificates/`. What is
 * there stays, so it can be run again: after a secret was deleted to be made anew, or with a later build.
 */
export async function runInit(options: InitOptions, context: { terminal: Terminal; ask: Ask | undefined }): Promise<number> {
  const files = new NewFiles(options.directory)
  if (options.demo === undefined) await writeOwn(files, options.given, context.ask)
  else await writeDemo(files, options.demo)
  await keepBrokerSecrets(files)
  await files.keepSecret('postgres-password', createPassword)
  const databasePassword = await files.keepSecret('database-password', createPassword)
  const databaseUrl = `postgres://gatehouse:${databasePassword}@postgres:5432/gatehouse`
  if ((await files.keepSecret('database-url', () => databaseUrl)) !== databaseUrl)
    await files.replaceSecret('database-url', databaseUrl)
  await files.keepSecret('api-token', createPassword)
  await files.keepSecret('grafana-password', createPassword)
  if (options.json) context.terminal.print(JSON.stringify({ directory: options.directory, written: files.written }))
  else context.terminal.print(describe(options, files.written))
  return 0
}

async function writeOwn(files: NewFiles, given: Given, ask: Ask | undefined): Promise<void> {
  const { answers, secrets } = await findAnswers(files, given, ask)
  // Before any secret is written: a wrong answer leaves nothing behind.
  const settings = answers === undefined ? undefined : createSettings(answers, undefined)
  await writeGivenSecrets(files, secrets)
  if (settings !== undefined) await files.keep('gatehouse.yaml', () => settings)
  await files.keep(
    'certificates/README',
    () => 'PEM files of authorities to trust; gatehouse.yaml names them as /etc/gatehouse/certificates/….\n',
  )
  await files.keep('.env', () => environmentText([]))
}

async function writeDemo(files: NewFiles, options: DemoOptions): Promise<void> {
  const found = await findDemoAnswers(options)
  await writeGivenSecrets(files, found.secrets)
  await files.keep('gatehouse.yaml', () => createSettings(found.answers, found.demo))
  const key = (await files.read('secrets/simulators-key.pem')) ?? ''
  if (key === '') {
    const made = await found.createCertificate()
    await files.replaceSecret('simulators-key.pem', made.key)
    await files.replace('certificates/simulators.pem', made.certificate)
  }
  await files.keep('.env', () =>
    environmentText([
      'COMPOSE_PROFILES=demo',
      `GATEHOUSE_DEMO_DEVICES=${options.devices}`,
      `GATEHOUSE_DEMO_LATENCY_MS=${options.latencyMs}`,
      `GATEHOUSE_DEMO_SEED=${options.seed}`,
      `GATEHOUSE_DEMO_RUNSPACES=${options.runspaces}`,
    ]),
  )
}

async function writeGivenSecrets(files: NewFiles, secrets: Partial<Record<GivenSecret, string>>): Promise<void> {
  for (const { file } of GIVEN_SECRETS) {
    const secret = secrets[file]
    if (secret !== undefined) await files.keepSecret(file, () => secret)
  }
}

/** `.env` is what Compose reads by itself. */
function environmentText(more: readonly string[]): string {
  const lines = [
    '# Read by docker compose; docs/operations/containers.md explains every variable.',
    'GATEHOUSE_FILES=.',
    ...more,
  ]
  return `${lines.join('\n')}\n`
}

function describe({ directory }: InitOptions, written: readonly string[]): string {
  if (written.length === 0) return `Everything is there already in ${directory}; nothing was written`
  return `Written to ${directory}:\n${written.map((name) => `  ${name}`).join('\n')}\nNow: docker compose up -d --wait`
}
