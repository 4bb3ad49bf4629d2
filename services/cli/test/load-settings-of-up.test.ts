import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { findControl } from '../src/find-control.ts'
import { loadSettingsOfUp } from '../src/load-settings-of-up.ts'

const REST = `
graph: { tenantId: contoso.test, clientId: 11111111-2222-4333-8444-555555555555, clientSecretFile: secrets/graph }
organizations:
  - name: Contoso
    exchange: { url: https://mail.test/PowerShell/, user: svc, passwordFile: secrets/exchange }
    mail: { exchangeWebServiceURL: https://mail.test/EWS/Exchange.asmx, user: svc, passwordFile: secrets/mail }
control: { tokenFile: secrets/token, port: 8480 }
`
const directories: string[] = []
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
})

async function write(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-settings-'))
  directories.push(directory)
  const path = join(directory, 'gatehouse.yaml')
  await writeFile(path, text)
  return path
}

describe('the settings of gatehouse up', () => {
  it('need a broker and a database when the file names none', async () => {
    const { need } = await loadSettingsOfUp({ path: await write(REST), env: {} })

    expect(need).toEqual({ broker: true, database: true })
  })

  it.each([
    { text: 'broker: { url: amqp://mq/gatehouse }', env: {}, need: { broker: false, database: true } },
    { text: 'database: { urlFile: secrets/database }', env: {}, need: { broker: true, database: false } },
    { text: '', env: { GATEHOUSE_DATABASE_URL: 'postgres://db/gatehouse' }, need: { broker: true, database: false } },
  ])('need no part that is named: $text $env', async ({ text, env, need }) => {
    const read = await loadSettingsOfUp({ path: await write(text + REST), env })

    expect(read.need).toEqual(need)
  })

  it('tell another verb where control is, though they name neither broker nor database', async () => {
    const path = await write(REST)

    const found = await findControl({ url: undefined, tokenFile: undefined, config: path, stateDirectory: '/nowhere', env: {} })

    expect(found.url).toBe('http://127.0.0.1:8480')
  })
})
