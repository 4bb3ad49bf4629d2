import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSettings } from '@gatehouse/worker'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createProgram } from '../src/create-program.ts'
import type { Ask } from '../src/init/find-answers.ts'

const OPTIONS = [
  ['--tenant-id', 'contoso.onmicrosoft.com'],
  ['--client-id', '11111111-2222-3333-4444-555555555555'],
  ['--organization', 'contoso'],
  ['--exchange-url', 'https://mail.contoso.com/PowerShell/'],
  ['--exchange-user', 'CONTOSO\\svc-gatehouse'],
  ['--ews-url', 'https://mail.contoso.com/EWS/Exchange.asmx'],
  ['--mail-user', 'gatehouse@contoso.com'],
  ['--included-groups', '66666666-7777-8888-9999-aaaaaaaaaaaa'],
].flat()
const COMPOSE = { GATEHOUSE_BROKER_URL: 'amqp://rabbitmq/gatehouse', GATEHOUSE_DATABASE_URL_FILE: '/run/secrets/database-url' }

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gatehouse-init-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

async function init(options: readonly string[], ask?: Ask): Promise<{ written: string[] }> {
  let out = ''
  const program = createProgram({
    env: {},
    cwd: directory,
    streams: { out: { write: (text) => (out += text) }, err: { write: () => {} } },
    ask,
    signal: new AbortController().signal,
    onExitCode: () => {},
  })
  await program.parseAsync(['node', 'gatehouse', 'init', '--json', ...options])
  return JSON.parse(out) as { written: string[] }
}

async function secretFiles(): Promise<string[]> {
  const files = ['--client-secret-file', '--exchange-password-file', '--mail-password-file'] as const
  for (const flag of files) await writeFile(join(directory, flag.slice(2)), `${flag} of the test\n`)
  return files.flatMap((flag) => [flag, join(directory, flag.slice(2))])
}

const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')

type Definitions = {
  users: { name: string; password_hash: string; tags: string[] }[]
  permissions: { user: string; configure: string }[]
}
const definitions = async (): Promise<Definitions> => JSON.parse(await read('secrets/rabbitmq-definitions.json')) as Definitions

describe('gatehouse init', () => {
  it('writes settings that the workers take, in report-only mode', async () => {
    await init([...OPTIONS, ...(await secretFiles())])
    const settings = loadSettings({ path: join(directory, 'gatehouse.yaml'), env: COMPOSE })

    expect(settings.organizations[0]).toMatchObject({ name: 'contoso', reportOnly: true })
    expect(settings.organizations[0]?.exchange.user).toBe('CONTOSO\\svc-gatehouse')
    expect((await read('secrets/exchange-password')).trim()).toBe('--exchange-password-file of the test')
  })

  it('asks at the terminal for what no option says, and hides what is secret', async () => {
    const asked: [string, boolean][] = []
    const answers = new Map([['Entra tenant', 'contoso.com']])
    await init(OPTIONS.slice(2), async (question, { hidden }) => {
      asked.push([question, hidden])
      return [...answers].find(([start]) => question.startsWith(start))?.[1] ?? 'a secret'
    })

    expect(asked.map(([, hidden]) => hidden)).toEqual([false, true, true, true])
    expect(await read('gatehouse.yaml')).toContain('tenantId: contoso.com')
    expect((await read('secrets/mail-password')).trim()).toBe('a secret')
  })

  it('names every option that is missing where nobody can be asked', async () => {
    await expect(init(OPTIONS.slice(4))).rejects.toThrow(/--tenant-id <id>, --client-id <guid>, --client-secret-file <file>/)
  })

  it('writes nothing when an answer cannot be right, and says which', async () => {
    const wrong = OPTIONS.map((text) =>
      text.replace('https://mail.contoso.com/PowerShell/', 'http://mail.contoso.com/PowerShell/'),
    )

    await expect(init([...wrong, ...(await secretFiles())])).rejects.toThrow(/organizations\[0\]\.exchange\.url/)
    await expect(stat(join(directory, 'secrets'))).rejects.toThrow(/ENOENT/)
  })

  it('gives each worker a broker user of its own that may declare nothing, its password only as a salted hash', async () => {
    await init([...OPTIONS, ...(await secretFiles())])
    const { users, permissions } = await definitions()
    const password = (await read('secrets/broker/gh-enforcement')).trim()
    const stored = Buffer.from(users.find(({ name }) => name === 'gh-enforcement')?.password_hash ?? '', 'base64')

    expect(users.map(({ name }) => name)).toContain('gh-notification')
    expect(permissions.find(({ user }) => user === 'gh-enforcement')?.configure).toBe('^$')
    expect(stored.subarray(4)).toEqual(createHash('sha256').update(stored.subarray(0, 4)).update(password).digest())
    expect(await read('secrets/rabbitmq-definitions.json')).not.toContain(password)
  })

  it('lets nobody but the owner into the folder of the secrets', async () => {
    await init([...OPTIONS, ...(await secretFiles())])

    expect((await stat(join(directory, 'secrets'))).mode & 0o777).toBe(0o700)
  })

  it('changes nothing when it is run again', async () => {
    await init([...OPTIONS, ...(await secretFiles())])
    const before = [await read('secrets/rabbitmq-definitions.json'), await read('gatehouse.yaml'), await read('.env')]

    expect((await init([])).written).toEqual([])
    expect([await read('secrets/rabbitmq-definitions.json'), await read('gatehouse.yaml'), await read('.env')]).toEqual(before)
  })

  it('makes a secret anew that was deleted, and the definitions and the URL that hold it', async () => {
    await init([...OPTIONS, ...(await secretFiles())])
    const before = await definitions()
    await rm(join(directory, 'secrets/broker/gh-discovery'))
    await rm(join(directory, 'secrets/database-password'))

    const { written } = await init([])
    const changed = (await definitions()).users.filter(
      ({ name, password_hash }) => before.users.find((user) => user.name === name)?.password_hash !== password_hash,
    )

    expect(written.sort()).toEqual(
      ['broker/gh-discovery', 'database-password', 'database-url', 'rabbitmq-definitions.json'].map((name) =>
        join('secrets', name),
      ),
    )
    expect(changed.map(({ name }) => name)).toEqual(['gh-discovery'])
    expect(await read('secrets/database-url')).toContain((await read('secrets/database-password')).trim())
  })
})
