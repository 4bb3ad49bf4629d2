import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { fatalLineOf } from '../../../test/environment/fatal-line-of.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const CONTROL = resolve(import.meta.dirname, '../../control/src/main.ts')

describe('control', () => {
  it('exits 2 when somebody else has the port of its API, or its address is not of this machine', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, 'token')
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((listening) => other.once('listening', listening))
    const { port } = other.address() as { port: number }
    const env = {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_CONTROL_TOKEN_FILE: tokenFile,
    }

    const taken = startProcess(CONTROL, { ...env, GATEHOUSE_CONTROL_PORT: String(port) })
    expect(await taken.code).toBe(2)
    const foreign = startProcess(CONTROL, { ...env, GATEHOUSE_CONTROL_HOST: '192.0.2.1' })
    expect(await foreign.code).toBe(2)

    expect(fatalLineOf(taken.errors())).toContain(`control.port: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`)
    expect(fatalLineOf(foreign.errors())).toContain('EADDRNOTAVAIL')
    await new Promise((closed) => other.close(closed))
  })
})
