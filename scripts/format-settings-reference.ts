import { createSettingsJsonSchema, describeAllowed, type JsonSchema } from '@gatehouse/worker'

const HEAD = `# Settings

<!-- Made by \`npm run check -- --write\` from libs/worker/src/settings-schema.ts: change it there. -->

One file, \`gatehouse.yaml\`, for all workers: \`--config <file>\` or \`GATEHOUSE_CONFIG\`. All problems are told at once: key,
value (secrets masked), what is allowed. A worker with bad settings exits with 2.

Every setting can be overridden by an environment variable: \`broker.prefetchMax\` is \`GATEHOUSE_BROKER_PREFETCH_MAX\`,
\`organizations[0].exchange.url\` is \`GATEHOUSE_ORGANIZATIONS_0_EXCHANGE_URL\`; a list is separated by commas; an empty variable
counts as not set; an unknown \`GATEHOUSE_…\` variable is a problem. Secrets are files: the settings hold their paths, relative
to the settings file.

These variables are not settings: \`GATEHOUSE_CONFIG\` (the settings file), \`GATEHOUSE_HEALTH_PORT\` (short for
\`worker.healthPort\`), and for the demo and the tests \`GATEHOUSE_AMQP_URL\`, \`GATEHOUSE_RABBITMQ_MANAGEMENT_URL\` and
\`GATEHOUSE_DATABASE_URL\` (which also is \`database.url\`).
`

type Row = { key: string; meaning: string; allowed: string; fallback: string }

/** docs/operations/settings.md, from the same schema that checks the settings. */
export function formatSettingsReference(): string {
  const sections = Object.entries(createSettingsJsonSchema().properties ?? {}).map(([name, schema]) => {
    const title = schema.type === 'array' ? `## ${name}[]` : `## ${name}`
    const rows = schema.type === 'array' ? listRows(schema.items ?? {}, '') : listRows(schema, '')
    const lines = rows.map((row) => `| \`${row.key}\` | ${row.meaning} | ${row.allowed} | ${row.fallback} |`)
    return [title, '', '| key | meaning | allowed | default |', '|---|---|---|---|', ...lines, ''].join('\n')
  })
  return [HEAD, ...sections].join('\n')
}

function listRows(schema: JsonSchema, prefix: string, isOptional = false): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const key = prefix + name
    const mayLack = isOptional || schema.required?.includes(name) !== true
    if (inner.type === 'object') return listRows(inner, `${key}.`, mayLack)
    const items = inner.items?.type === 'object' ? listRows(inner.items, `${key}[].`) : []
    const allowed =
      inner.items === undefined || inner.items.type === 'object'
        ? describeAllowed(inner)
        : `${describeAllowed(inner)}, each ${describeAllowed(inner.items)}`
    return [{ key, meaning: inner.description ?? '', allowed, fallback: formatDefault(inner.default, mayLack) }, ...items]
  })
}

function formatDefault(value: unknown, mayLack: boolean): string {
  if (value === undefined) return mayLack ? '' : '**required**'
  return `\`${Array.isArray(value) ? '[]' : String(value)}\``
}
