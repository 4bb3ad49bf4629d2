import { z } from 'zod'
import { isLoopbackUrl } from './is-loopback-url.ts'

/*
 * Every key carries its meaning (`description`) and, where bounds do not say it, what is allowed. The JSON Schema, the
 * reference page and the texts of problems are all made from these.
 */

const HOUR_SECONDS = 3_600
export const RESTART_DELAY_SECONDS_MAX = 600
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const ACCESS_LEVELS = ['allow', 'block', 'quarantine'] as const

const text = (description: string, lengthMax = 256) => z.string().min(1).max(lengthMax).meta({ description })
const flag = (description: string) => z.boolean().meta({ description })
const whole = (from: number, to: number, description: string) => z.int().min(from).max(to).meta({ description })
const guid = (description: string) => z.guid().meta({ description, allowed: 'a GUID' })

const secretFile = (what: string) =>
  z
    .string()
    .min(1)
    .max(4_096)
    .meta({ description: `File that holds only the ${what}`, allowed: 'a path, relative to the settings file' })

const caFile = () =>
  z
    .string()
    .min(1)
    .max(4_096)
    .meta({ description: 'PEM file of certificate authorities to trust', allowed: 'a path, relative to the settings file' })
    .optional()

const matching = (pattern: RegExp, description: string, allowed: string) =>
  z.string().regex(pattern).meta({ description, allowed })

const urlOf = (schemes: readonly string[], description: string, allowed: string) =>
  z
    .string()
    .max(2_048)
    .refine((value) => schemes.includes(URL.parse(value)?.protocol ?? ''))
    .meta({ description, allowed })

/** These requests carry passwords and tokens. */
const secureUrl = (description: string) =>
  z
    .string()
    .max(2_048)
    .refine((value) => URL.parse(value)?.protocol === 'https:' || isLoopbackUrl(value, 'http:'))
    .meta({ description, allowed: 'an https URL (plain http on loopback only)' })

const cron = (description: string) => matching(/^\S+(\s+\S+){4,5}$/, description, 'a cron expression of five or six fields')

const DatabaseSettings = z.strictObject({
  url: urlOf(
    ['postgres:', 'postgresql:'],
    'PostgreSQL; this or urlFile',
    'a URL such as postgres://user@host:5432/gatehouse',
  ).optional(),
  urlFile: secretFile('URL of PostgreSQL, password included; this or url').optional(),
  connectionsMax: whole(1, 100, 'Connections of one worker to PostgreSQL').default(10),
})

const BrokerSettings = z.strictObject({
  url: urlOf(
    ['amqp:', 'amqps:'],
    'RabbitMQ with its virtual host; may hold the user and password for everything',
    'a URL such as amqps://host:5671/gatehouse',
  ),
  managementUrl: urlOf(
    ['http:', 'https:'],
    'RabbitMQ management API, for `topology apply` only',
    'a URL such as https://host:15671',
  ).optional(),
  adminUser: text('Broker administrator, for `topology apply` only').optional(),
  adminPasswordFile: secretFile('password of adminUser').optional(),
  usersPasswordDirectory: z
    .string()
    .min(1)
    .max(4_096)
    .meta({
      description:
        'Folder with one password file per broker user: `gh-control`, `gh-discovery`, …; without it the URL’s user serves all',
      allowed: 'a path, relative to the settings file',
    })
    .optional(),
  userPrefix: matching(
    /^[A-Za-z0-9-]{1,60}$/,
    'What the broker users of the workers begin with: they are global to a RabbitMQ node',
    'letters, digits and hyphens',
  ).default('gh-'),
  prefetchMax: whole(1, 2_000, 'Messages a consumer holds at most').default(1_000),
  unconfirmedMax: whole(1, 5_000, 'Published messages that may wait for their confirmation').default(200),
  maxAttempts: whole(1, 50, 'Attempts before a message becomes a dead letter').default(8),
  laterAgeHoursMax: whole(1, 168, 'Age at which a message that still has to wait becomes a dead letter').default(24),
})

const WorkerSettings = z.strictObject({
  logLevel: z.enum(LOG_LEVELS).meta({ description: 'Least level that is logged' }).default('info'),
  shutdownSeconds: whole(1, 600, 'Time for the work in hand when the worker is told to stop').default(30),
  startSeconds: whole(1, 600, 'Time to wait for RabbitMQ and PostgreSQL at the start').default(60),
  restartDelaySeconds: whole(
    0,
    RESTART_DELAY_SECONDS_MAX,
    'A worker that cannot start waits this long before it exits, where whoever starts it again does so at once',
  ).default(0),
  clockSkewSecondsMax: whole(1, HOUR_SECONDS, 'How far its clock may be from that of PostgreSQL').default(60),
  healthHost: text('Address of /healthz, /readyz and /metrics', 255).default('127.0.0.1'),
  healthPort: whole(0, 65_535, 'Port of /healthz, /readyz and /metrics; 0: any free one').default(0),
})

const proxyTo = (target: string) =>
  z
    .strictObject({
      url: urlOf(['http:', 'https:'], `HTTP proxy on the way to ${target}`, 'an http or https URL'),
      user: text('Account at the proxy').optional(),
      passwordFile: secretFile('password at the proxy').optional(),
    })
    .optional()

const GraphSettings = z.strictObject({
  tenantId: matching(/^[0-9A-Za-z][0-9A-Za-z.-]{2,252}$/, 'Entra tenant', 'a tenant id or a domain name'),
  clientId: guid('Application id of the app registration'),
  clientSecretFile: secretFile('client secret of the app registration'),
  clientSecretExpires: z.iso
    .date()
    .meta({
      description: 'Day on which the client secret expires, as Entra shows it; an alert comes 30 days before',
      allowed: 'a date such as 2027-05-31',
    })
    .optional(),
  authority: secureUrl('Where tokens come from; other in national clouds').default('https://login.microsoftonline.com'),
  endpoint: secureUrl('Microsoft Graph; other in national clouds').default('https://graph.microsoft.com'),
  caFile: caFile(),
  proxy: proxyTo('Microsoft’s sign-in and Graph'),
  deviceMissingRefreshes: whole(
    1,
    10,
    'Full refreshes in a row that must miss a managed device before it counts as gone',
  ).default(2),
  shrinkPercentMax: whole(1, 100, 'A full refresh that lists this much fewer managed devices than the last is refused').default(
    50,
  ),
})

const PolicySettings = z.strictObject({
  enabled: flag('false: nothing is decided').default(true),
  includedGroups: z
    .array(guid('Entra group'))
    .max(500)
    .meta({ description: 'Groups whose users the policy targets' })
    .default([]),
  excludedGroups: z
    .array(guid('Entra group'))
    .max(500)
    .meta({ description: 'Groups whose users it leaves alone, even if included' })
    .default([]),
  overrideDefaultRule: flag('Compliant devices get access even where the organisation’s default would not give it').default(
    true,
  ),
  unknownCompliance: z
    .enum(['compliant', 'noncompliant'])
    .meta({ description: 'What a device of unknown compliance counts as' })
    .default('noncompliant'),
})

const PowerShellSettings = z.strictObject({
  executable: text('PowerShell of this machine: its name on the PATH, or its path', 4_096).default('powershell.exe'),
  modules: z
    .array(text('Path of a module', 4_096))
    .max(16)
    .meta({ description: 'Modules whose cmdlets stand in for a connection to Exchange, as tests need it' })
    .default([]),
  environment: z
    .record(z.string(), z.string())
    .meta({ description: 'Its environment, beside what it cannot do without', allowed: 'names and texts' })
    .default({}),
})

const ExchangeSettings = z.strictObject({
  url: secureUrl('Exchange PowerShell, such as https://mail.contoso.com/PowerShell/'),
  user: text('Account with the connector’s role'),
  passwordFile: secretFile('password of the account'),
  caFile: caFile(),
  certificateSha256: matching(
    /^([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})$/,
    'Fingerprint of the one certificate to accept',
    '64 hexadecimal digits, with or without colons',
  ).optional(),
  authentication: z
    .enum(['basic', 'negotiate'])
    .meta({ description: 'How the account proves itself; negotiate is Kerberos and needs the npm package kerberos' })
    .default('basic'),
  proxy: proxyTo('Exchange'),
  engine: z
    .enum(['remoting', 'host'])
    .meta({ description: 'remoting speaks to Exchange itself, host lets a local Windows PowerShell do it' })
    .default('remoting'),
  powerShell: PowerShellSettings.prefault({}),
  isCasFailoverEnabled: flag('Use another Client Access server when this one is down').default(true),
  enableParallelCommandSupport: flag('Several runspaces at once').default(false),
  runspacesMax: whole(1, 18, 'Runspaces of one worker with enableParallelCommandSupport').default(12),
  shellsPerAccountMax: whole(1, 18, 'Shells of the account over all workers; Exchange allows 18').default(15),
  idleTimeoutSeconds: whole(60, 12 * HOUR_SECONDS, 'Exchange ends a shell that was idle this long').default(120),
  cmdletTimeoutSeconds: whole(5, HOUR_SECONDS, 'A cmdlet that takes longer costs its shell').default(120),
})

const MailSettings = z.strictObject({
  enabled: flag('Mail users before a device is blocked').default(true),
  exchangeWebServiceURL: secureUrl('Exchange Web Services'),
  user: text('Notification account'),
  passwordFile: secretFile('password of the notification account'),
  caFile: caFile(),
  from: z.email().meta({ description: 'Sender, if not the account itself', allowed: 'an e-mail address' }).optional(),
  messagesPerMinute: whole(1, 60_000, 'Mails per minute').default(20),
  concurrency: whole(1, 32, 'Mails sent at once').default(4),
  noticeWaitSecondsMax: whole(0, 24 * HOUR_SECONDS, 'A block waits this long for its notice to be sent; 0: not at all').default(
    900,
  ),
  enrolUrl: secureUrl('The link in the mail').default('https://portal.manage.microsoft.com'),
})

const TemplateSettings = z.strictObject({
  subject: text('Subject', 255),
  body: text('Text, in Markdown', 20_000),
})

const PlatformExceptionSettings = z.strictObject({
  characteristic: z.enum(['DeviceType', 'DeviceModel']).meta({ description: 'Family or model' }),
  queryString: text('The family’s or model’s name, as Exchange shows it'),
  accessLevel: z.enum(ACCESS_LEVELS).meta({ description: 'Access of these devices' }),
})

const OrganizationSettings = z.strictObject({
  name: matching(
    /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,62}[\p{L}\p{N}._-])?$/u,
    'Name of the Exchange organisation; its id is made from it, so it must stay',
    '1 to 64 letters, digits, spaces, dots, hyphens and underscores, and no name twice',
  ),
  exchange: ExchangeSettings,
  mail: MailSettings,
  defaultAccessLevel: z.enum(ACCESS_LEVELS).meta({ description: 'Access of devices no rule speaks of' }).default('quarantine'),
  manageOrganizationSettings: flag('Make Exchange’s own default level and device access rules those of this file').default(
    false,
  ),
  platformExceptions: z
    .array(PlatformExceptionSettings)
    .max(500)
    .meta({ description: 'Families and models that are treated differently' })
    .default([]),
  reportOnly: flag('Everything runs, nothing is written to Exchange and nobody is mailed').default(true),
  templates: z.strictObject({ en: TemplateSettings.optional(), fr: TemplateSettings.optional() }).optional(),
})

const BrakeSettings = z.strictObject({
  minimum: whole(0, 1_000_000, 'A sync may block this many devices without being confirmed').default(20),
  percent: whole(0, 100, 'Or this share of the organisation’s devices, whichever is more').default(5),
})

const ScheduleSettings = z.strictObject({
  enabled: flag('Start syncs by the clock').default(true),
  fullSync: cron('When everything is read and decided').default('0 2 * * *'),
  deltaSync: cron('When changes are read and decided').default('*/15 * * * *'),
})

const TracingSettings = z.strictObject({
  otlpEndpoint: urlOf(
    ['http:', 'https:'],
    'OTLP/HTTP collector that spans are sent to, without /v1/traces; without it none are',
    'a URL such as http://otel-collector:4318',
  ).optional(),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'Share of the traces that is sent', allowed: 'a number from 0 to 1' })
    .default(1),
})

const ControlSettings = z.strictObject({
  host: text('Address of the HTTP API and the console', 255).default('127.0.0.1'),
  port: whole(0, 65_535, 'Port of the HTTP API and the console; 0: any free one').default(8480),
  tokenFile: secretFile('token that the HTTP API asks for; while it is changed, the old one on a second line'),
})

/** gatehouse.yaml. An unknown key is an error, every number has bounds, and a section whose keys all have defaults may be left out. */
export const SettingsSchema = z.strictObject({
  database: DatabaseSettings,
  broker: BrokerSettings,
  worker: WorkerSettings.prefault({}),
  graph: GraphSettings,
  policy: PolicySettings.prefault({}),
  organizations: z.array(OrganizationSettings).min(1).max(300).meta({ description: 'The Exchange organisations' }),
  brake: BrakeSettings.prefault({}),
  schedule: ScheduleSettings.prefault({}),
  control: ControlSettings,
  tracing: TracingSettings.prefault({}),
})

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T

export type Settings = Frozen<z.infer<typeof SettingsSchema>>
export type OrganizationSettings = Settings['organizations'][number]
