import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WORKER_NAMES } from '@gatehouse/cli/system'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ComposeProject } from './compose-project.ts'
import { measureContainers, report } from './measure-containers.ts'
import { describeWithEngine } from './needs-engine.ts'

const ALL = [...WORKER_NAMES, 'rabbitmq', 'postgres', 'simulators', 'demo']
/** runspaces + 4 in `gatehouse init --demo`. */
const SHELLS_PER_ACCOUNT = 16
/** What an engine runs as process 1 with `init: true`, from outside the image: in /sbin, which may be a link. */
const INITS = ['/sbin/docker-init', '/usr/sbin/docker-init']
const IMAGE_BYTES_MAX = 350_000_000
const IDLE_BYTES_MAX = 100_000_000

describeWithEngine('docker compose up with the demo of 5,000 devices', { timeout: 400_000 }, () => {
  let project: ComposeProject
  let upMs = 0

  beforeAll(async () => {
    project = await ComposeProject.create({ devices: 5_000, latencyMs: 100 })
    const startedAt = Date.now()
    await project.up()
    upMs = Date.now() - startedAt
  }, 600_000)
  afterAll(() => project?.[Symbol.asyncDispose](), 200_000)

  it('returns when every device is right', async () => {
    const state = await project.exchangeState()
    report('demo', { 'up to wrong 0, s': upMs / 1_000, writes: state.writes, wrong: state.wrong.count, mails: state.mailCount })

    expect(state).toMatchObject({ wrong: { count: 0 }, mailsTwice: [], duplicateAdds: 0 })
    expect(state.writes).toBe(state.writesLeast)
  })

  it('keeps the image small, and every container running from its first start', async () => {
    const measured = await measureContainers(project)
    for (const [name, figures] of Object.entries(measured)) report(`${name} after the syncs`, figures)
    const image = Number(await project.docker('image', 'inspect', '--format', '{{.Size}}', 'gatehouse:local'))
    report('image', { 'gatehouse, MB': image / 1_000_000 })

    expect(image).toBeLessThan(IMAGE_BYTES_MAX)
    for (const name of ALL) expect(measured[name], name).toMatchObject({ restarts: 0 })
  })

  it('lets nothing run as root and writes nothing outside volumes', async () => {
    const running = (await project.containers()).filter(({ State }) => State === 'running')
    expect(running.map(({ Service }) => Service).sort()).toEqual([...ALL].sort())
    for (const { ID, Service } of running) {
      const processes = (await project.docker('top', ID, '-eo', 'pid,uid,comm')).trim().split('\n').slice(1)
      const ofRoot = processes.filter((line) => /^\s*\d+\s+0\s/.test(line) && !/(docker-init|tini)$/.test(line))
      expect(ofRoot, `${Service} runs as root`).toEqual([])
      const [{ HostConfig: host, Mounts: mounts }] = JSON.parse(await project.docker('inspect', ID)) as [Inspected]
      // The engine makes the points at which it mounts, and the folders on the way there.
      const targets = [...mounts.map(({ Destination }) => Destination), ...Object.keys(host.Tmpfs ?? {}), ...INITS]
      const written = (await project.docker('diff', ID))
        .split('\n')
        .filter((line) => line !== '' && !targets.some((target) => `${target}/`.startsWith(`${line.slice(2)}/`)))
      expect(written, `${Service} has written to its own layer`).toEqual([])
      expect(host).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false })
    }
  })

  it('shows no secret in docker inspect or in a log', async () => {
    const names = ['api-token', 'database-password', 'postgres-password', 'broker-admin-password', 'exchange-password']
    const files = [...names, 'graph-client-secret', ...WORKER_NAMES.map((worker) => `broker/gh-${worker}`)]
    const read = (file: string): Promise<string> => readFile(join(project.directory, 'secrets', file), 'utf8')
    const secrets = new Map(await Promise.all(files.map(async (file) => [file, (await read(file)).trim()] as const)))
    const ids = (await project.containers()).map(({ ID }) => ID)
    const shown = [await project.docker('inspect', ...ids), await project.must(['logs', '--no-color'])].join('\n')

    for (const [file, secret] of secrets) expect(shown.includes(secret), `the secret ${file} is shown`).toBe(false)
  })

  it('stays right with three copies of enforcement and two of discovery, within the shells of one account', async () => {
    await project.up('--no-recreate', '--scale', 'enforcement=3', '--scale', 'discovery=2')
    await project.restoreLists()
    const run = await project.gatehouse('sync', 'full', '--watch', '--confirmed')
    const state = await project.exchangeState()
    report('scaled to 3 and 2', { shells: state.mostShells, wrong: state.wrong.count, writes: state.writes })

    expect(run).toMatchObject({ value: [{ status: 'succeeded' }] })
    expect(state).toMatchObject({ wrong: { count: 0 }, mailsTwice: [], duplicateAdds: 0 })
    expect(state.mostShells).toBeLessThanOrEqual(SHELLS_PER_ACCOUNT)
  })

  it('replays a dead letter by the command in a container', async () => {
    const letter = await buryDecision(project)

    const before = await project.countDeadLetters()
    await project.gatehouse('dead-letters', 'replay', '--id', letter, '--execute', '--yes')
    const after = await project.countDeadLetters()

    expect([before, after]).toEqual([1, 0])
  })

  it('keeps runs and dead letters over down and up', async () => {
    await buryDecision(project)
    const before = await countKept(project)

    await project.must(['down'], 200_000)
    await project.upWithoutDemo()

    expect(before.letters).toBe(1)
    expect(await countKept(project)).toEqual(before)
  })

  it('needs little memory for workers that wait', async () => {
    const measured = await measureContainers(project)
    for (const [name, figures] of Object.entries(measured)) report(`${name} idle`, figures)

    for (const worker of WORKER_NAMES) expect(measured[worker]?.['memory, MB'], worker).toBeLessThan(IDLE_BYTES_MAX / 1_000_000)
  })
})

async function countKept(project: ComposeProject): Promise<{ letters: number; devices: number; runs: number }> {
  const letters = await project.countDeadLetters()
  const count = async (table: string): Promise<number> => Number(await project.psql(`select count(*) from ${table}`))
  return { letters, devices: await count('device_partnerships'), runs: await count('sync_runs') }
}

type Inspected = {
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[]; Privileged: boolean; Tmpfs?: Record<string, string> }
  Mounts: { Destination: string }[]
}

/** A letter about a mailbox that is there: once it is replayed it is decided again, and nothing changes. */
async function buryDecision(project: ComposeProject): Promise<string> {
  const devices = (await project.gatehouse('devices', '--top', '1')) as {
    value: { mailboxId: string; organizationId: string }[]
  }
  const [device] = devices.value
  expect(device).toBeDefined()
  const { mailboxId, organizationId } = device as NonNullable<typeof device>
  const messageId = crypto.randomUUID()
  const type = 'compliance-lookup.decide-mailbox'
  const body = { type, version: 1, messageId, at: new Date().toISOString(), organizationId, mailboxId }
  const headers = {
    'gh-origin-exchange': 'gh.commands',
    'gh-origin-key': `bulk.${type}.v1`,
    'gh-reason': 'attempts-exhausted',
    'gh-error-code': 'test',
    'gh-error-class': 'RetryableError',
  }
  const line = JSON.stringify({ service: 'compliance-lookup', messageId, type, headers, body: JSON.stringify(body) })
  await project.must([
    'exec',
    '-T',
    'control',
    'node',
    '-e',
    `require('fs').writeFileSync('/tmp/letter', ${JSON.stringify(line)})`,
  ])
  await project.gatehouse('dead-letters', 'import', '/tmp/letter')
  return messageId
}
