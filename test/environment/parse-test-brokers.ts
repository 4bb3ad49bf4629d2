/** Where a broker for the conformance suite comes from. */
export type TestBroker = { readonly name: string } & (
  | { readonly kind: 'url'; readonly amqpUrl: string; readonly managementUrl: string }
  /** A folder with `rabbitmq-server` and `rabbitmqctl`; undefined: those of this machine. */
  | { readonly kind: 'programs'; readonly folder: string | undefined }
  | { readonly kind: 'image'; readonly image: string }
)

const MANAGEMENT_PORT = 15_672
const FORMAT =
  'GATEHOUSE_TEST_BROKERS must be name=where, comma-separated, where is amqp://user:password@host:port[;management=http://host:port], a folder with rabbitmq-server, or docker:image'

/** Reads GATEHOUSE_TEST_BROKERS. Throws an error that shows the format. */
export function parseTestBrokers(text: string): TestBroker[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseOne)
}

function parseOne(part: string): TestBroker {
  const [, name, where] = /^([^=]+)=(.+)$/.exec(part) ?? []
  if (name === undefined || where === undefined) throw new Error(`${FORMAT}; not ${part}`)
  if (where.startsWith('docker:')) return { name, kind: 'image', image: where.slice('docker:'.length) }
  if (where.startsWith('/')) return { name, kind: 'programs', folder: where }
  const [amqpUrl = '', management] = where.split(';management=')
  const url = URL.parse(amqpUrl)
  if (url === null || !/^amqps?:$/.test(url.protocol)) throw new Error(`${FORMAT}; not ${part}`)
  const scheme = url.protocol === 'amqps:' ? 'https' : 'http'
  return { name, kind: 'url', amqpUrl, managementUrl: management ?? `${scheme}://${url.hostname}:${MANAGEMENT_PORT}` }
}
