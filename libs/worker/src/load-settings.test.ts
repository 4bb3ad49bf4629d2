import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadSettings } from './load-settings.ts'
import { createSettingsJsonSchema } from './settings-json-schema.ts'

const GOOD = `
database: { url: postgres://db/gatehouse }
broker: { url: amqp://mq/gatehouse }
graph:
  tenantId: contoso.test
  clientId: 11111111-2222-4333-8444-555555555555
  clientSecretFile: secrets/graph
organizations:
  - name: Contoso
    exchange: { url: https://mail.test/PowerShell/, user: svc, passwordFile: secrets/exchange }
    mail: { exchangeWebServiceURL: https://mail.test/EWS/Exchange.asmx, user: svc, passwordFile: /run/secrets/mail }
control: { tokenFile: secrets/token }
`

const load = (text: string, env: Record<string, string> = {}) =>
  loadSettings({ path: '/etc/gatehouse/gatehouse.yaml', text, env })

function problemsOf(text: string, env: Record<string, string> = {}): string {
  try {
    load(text, env)
    return ''
  } catch (error) {
    expect(error).toMatchObject({ name: 'PermanentError', code: 'settings-invalid' })
    return (error as Error).message
  }
}

describe('loading settings', () => {
  it('fills in the defaults, report-only among them', () => {
    const settings = load(GOOD)

    expect(settings.worker).toEqual({
      logLevel: 'info',
      shutdownSeconds: 30,
      startSeconds: 60,
      restartDelaySeconds: 0,
      clockSkewSecondsMax: 60,
      healthHost: '127.0.0.1',
      healthPort: 0,
    })
    expect(settings.organizations[0]).toMatchObject({
      reportOnly: true,
      defaultAccessLevel: 'quarantine',
      platformExceptions: [],
    })
    expect(settings.organizations[0]?.exchange).toMatchObject({
      isCasFailoverEnabled: true,
      enableParallelCommandSupport: false,
      runspacesMax: 12,
    })
    expect(settings.brake).toEqual({ minimum: 20, percent: 5 })
  })

  it('makes paths of secrets relative to the settings file', () => {
    const settings = load(GOOD)

    expect(settings.graph.clientSecretFile).toBe('/etc/gatehouse/secrets/graph')
    expect(settings.organizations[0]?.mail.passwordFile).toBe('/run/secrets/mail')
  })

  it('freezes them to the bottom', () => {
    const settings = load(GOOD)

    expect(() => Object.assign(settings.organizations[0]?.exchange ?? {}, { user: 'other' })).toThrow(TypeError)
  })

  it('tells every problem at once: key, value and what is allowed', () => {
    const message = problemsOf(
      GOOD.replace('user: svc, passwordFile: secrets/exchange', 'user: "", runspacesMax: 19, passwordfile: x') +
        'worker: { logLevel: loud, shutdownSeconds: 1.5 }\nschedule: { fullSync: daily }\nbroken: 1\n',
    )

    expect(message.split('\n')).toEqual([
      '8 problems in /etc/gatehouse/gatehouse.yaml',
      '  worker.logLevel: "loud"; allowed: one of trace, debug, info, warn, error, fatal, silent',
      '  worker.shutdownSeconds: 1.5; allowed: a whole number from 1 to 600',
      '  organizations[0].exchange.user: ""; allowed: a text of 1 to 256 characters',
      '  organizations[0].exchange.passwordFile: missing; allowed: a path, relative to the settings file',
      '  organizations[0].exchange.runspacesMax: 19; allowed: a whole number from 1 to 18',
      expect.stringMatching(
        /^ {2}organizations\[0\]\.exchange\.passwordfile: unknown; allowed: only url, user, passwordFile, /,
      ),
      '  schedule.fullSync: "daily"; allowed: a cron expression of five or six fields',
      '  broken: unknown; allowed: only database, broker, worker, graph, policy, organizations, brake, schedule, control, tracing',
    ])
  })

  it('names every missing key of a missing section', () => {
    const message = problemsOf('')

    for (const key of [
      'database.url',
      'broker.url',
      'graph.tenantId',
      'graph.clientSecretFile',
      'organizations',
      'control.tokenFile',
    ]) {
      expect(message).toContain(`  ${key}: missing`)
    }
  })

  it('takes a section without a line in it for an empty one', () => {
    expect(load(`${GOOD}worker:\nbrake:\n`).brake.percent).toBe(5)
  })

  it('never shows a secret, wherever it was written', () => {
    const text = GOOD.replace('passwordFile: secrets/exchange', 'passwordFile: 1234567, password: hunter2')
      .replace('amqp://mq/gatehouse', 'http://gatehouse:hunter3@mq/')
      .replace('postgres://db/gatehouse', 'mysql://u:hunter4@db/')

    const message = problemsOf(text)

    expect(message).toContain('broker.url: "http://***@mq/"')
    expect(message).toContain('organizations[0].exchange.passwordFile: ***')
    expect(message).not.toMatch(/hunter|1234567/)
  })

  it('says the line of text that is not YAML, without quoting it', () => {
    const message = problemsOf(`${GOOD}control: { tokenFile: hunter2 }\nx: [hunter2\n`)

    expect(message).toMatch(/line 13: duplicate key/)
    expect(message).not.toContain('hunter2')
  })

  it('sends no spans unless a collector is named, and no other share of them than a share', () => {
    expect(load(GOOD).tracing).toEqual({ sampleRatio: 1 })
    expect(problemsOf(`${GOOD}tracing: { sampleRatio: 25 }\n`)).toContain('allowed: a number from 0 to 1')
    expect(problemsOf(`${GOOD}tracing: { otlpEndpoint: otel:4318 }\n`)).toContain('tracing.otlpEndpoint')
  })

  it('accepts plain http on loopback only', () => {
    const at = (url: string) => problemsOf(GOOD.replace('https://mail.test/PowerShell/', `'${url}'`))

    for (const url of [
      'http://127.0.0.1:8443/PowerShell/',
      'http://localhost/x',
      'http://[::1]:80/x',
      'https://anywhere.test/',
    ])
      expect(at(url)).toBe('')
    for (const url of [
      'http://mail.test/',
      'http://127.0.0.1.evil.test/',
      'http://localhost.evil.test/',
      'ftp://127.0.0.1/',
      'mail.test',
    ])
      expect(at(url)).toContain('organizations[0].exchange.url')
  })

  it('wants exactly one way to the database', () => {
    expect(problemsOf(GOOD.replace('{ url: postgres://db/gatehouse }', '{}'))).toContain(
      'database.url: missing; allowed: exactly one of',
    )
    expect(problemsOf(GOOD.replace('{ url:', '{ urlFile: x, url:'))).toContain('database.url: both; allowed: exactly one of')
  })

  it('refuses two organisations whose names differ in case only', () => {
    const [start, organization, end] = GOOD.split(/(?= {2}- name|control:)/)

    expect(problemsOf(`${start}${organization}${organization?.replace('Contoso', 'CONTOSO')}${end}`)).toContain(
      'organizations[1].name: "CONTOSO"',
    )
  })

  it('takes 300 organisations, and not one more', () => {
    const [start, organization, end] = GOOD.split(/(?= {2}- name|control:)/)
    const withOrganizations = (count: number) =>
      `${start}${Array.from({ length: count }, (_, index) => organization?.replace('Contoso', `c${index}`)).join('')}${end}`

    expect(load(withOrganizations(300)).organizations).toHaveLength(300)
    expect(problemsOf(withOrganizations(301))).toContain('organizations: a list of 301')
  })

  it('never throws anything but its own error, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => load(text)).toThrow(expect.objectContaining({ code: 'settings-invalid' }))
      }),
      { numRuns: 300 },
    )
  })
})

describe('settings from the environment', () => {
  it('win over the file, by their path', () => {
    const settings = load(GOOD, {
      GATEHOUSE_DATABASE_URL: 'postgres://other/db',
      GATEHOUSE_BROKER_PREFETCH_MAX: '7',
      GATEHOUSE_WORKER_LOG_LEVEL: 'debug',
      GATEHOUSE_ORGANIZATIONS_0_EXCHANGE_URL: 'https://other.test/PowerShell/',
      GATEHOUSE_ORGANIZATIONS_0_MAIL_EXCHANGE_WEB_SERVICE_URL: 'https://other.test/EWS/',
      GATEHOUSE_ORGANIZATIONS_0_REPORT_ONLY: 'false',
      GATEHOUSE_POLICY_INCLUDED_GROUPS: '11111111-2222-4333-8444-555555555555, 21111111-2222-4333-8444-555555555555',
      GATEHOUSE_BROKER_USERSPASSWORDDIRECTORY: 'users',
      GATEHOUSE_HEALTH_PORT: '8081',
      GATEHOUSE_TRACING_OTLP_ENDPOINT: 'http://otel-collector:4318',
      GATEHOUSE_TRACING_SAMPLE_RATIO: '0.25',
    })

    expect(settings.database.url).toBe('postgres://other/db')
    expect(settings.broker).toMatchObject({ prefetchMax: 7, usersPasswordDirectory: '/etc/gatehouse/users' })
    expect(settings.worker).toMatchObject({ logLevel: 'debug', healthPort: 8081 })
    expect(settings.organizations[0]).toMatchObject({ reportOnly: false, exchange: { url: 'https://other.test/PowerShell/' } })
    expect(settings.organizations[0]?.mail.exchangeWebServiceURL).toBe('https://other.test/EWS/')
    expect(settings.policy.includedGroups).toHaveLength(2)
    expect(settings.tracing).toEqual({ otlpEndpoint: 'http://otel-collector:4318', sampleRatio: 0.25 })
  })

  it('replace a database named by the other of its two keys', () => {
    const settings = load(GOOD.replace('url: postgres://db/gatehouse', 'urlFile: x'), {
      GATEHOUSE_DATABASE_URL: 'postgres://other/db',
    })

    expect(settings.database).toEqual({ url: 'postgres://other/db', connectionsMax: 10 })
  })

  it('are named when they are wrong, unknown, or an item after a gap', () => {
    const message = problemsOf(GOOD, {
      GATEHOUSE_BROKER_MAX_ATTEMPTS: 'many',
      GATEHOUSE_BROKER: 'x',
      GATEHOUSE_NOTHING: 'x',
      GATEHOUSE_ORGANIZATIONS_5_NAME: 'x',
      GATEHOUSE___PROTO___X: 'x',
    })

    expect(message).toContain(
      'broker.maxAttempts: "many" (from GATEHOUSE_BROKER_MAX_ATTEMPTS); allowed: a whole number from 1 to 50',
    )
    for (const name of ['GATEHOUSE_BROKER', 'GATEHOUSE_NOTHING', 'GATEHOUSE___PROTO___X'])
      expect(message).toContain(`  ${name}: unknown`)
    expect(message).toContain('GATEHOUSE_ORGANIZATIONS_5_NAME: an item after a gap')
  })

  it('count as not set when they are empty, and leave what is not a setting alone', () => {
    const env = {
      GATEHOUSE_DATABASE_URL: '',
      GATEHOUSE_AMQP_URL: 'amqp://x',
      GATEHOUSE_RABBITMQ_MANAGEMENT_URL: 'http://x',
      PATH: 'x',
    }

    expect(load(GOOD, env).database.url).toBe('postgres://db/gatehouse')
  })
})

describe('the JSON Schema of the settings', () => {
  it('gives every key a meaning and every number and text its bounds', () => {
    const lacking: string[] = []
    const walk = (schema: ReturnType<typeof createSettingsJsonSchema>, key: string): void => {
      const isSection = schema.type === 'object'
      if (!isSection && schema.description === undefined) lacking.push(`${key}: meaning`)
      if (schema.type === 'integer' && (schema.minimum === undefined || schema.maximum === undefined))
        lacking.push(`${key}: bounds`)
      if (schema.type === 'array' && schema.maxItems === undefined) lacking.push(`${key}: bounds`)
      for (const [name, inner] of Object.entries(schema.properties ?? {})) walk(inner, `${key}.${name}`)
      if (schema.items !== undefined) walk(schema.items, `${key}[]`)
    }

    walk(createSettingsJsonSchema(), '')

    expect(lacking).toEqual([])
  })
})
