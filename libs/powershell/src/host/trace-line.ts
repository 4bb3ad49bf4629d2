import { maskXml } from '../protocol/mask-xml.ts'
import { TRACE_CHARACTERS_MAX, type Trace } from '../protocol/trace.ts'

/** Not shown at all: credentials and SecureStrings. */
const SECRET_FIELDS = new Set(['secrets', 'connection'])
const CLIXML_FIELDS = new Set(['parameters', 'data'])

/** Shows one line of JSON to `trace`: its CLIXML masked as that of the remoting engine, its other fields before it. */
export function traceLine(trace: Trace | undefined, direction: 'sent' | 'received', line: string): void {
  if (trace === undefined || !line.startsWith('{"op":"')) return
  try {
    const message = JSON.parse(line) as Record<string, unknown>
    const { op, id, ...fields } = message
    const shown = Object.entries(fields).map(([name, value]) => showField(name, value))
    trace({
      direction,
      messageType: String(op).toUpperCase(),
      runspacePoolId: 'host',
      pipelineId: typeof id === 'number' ? String(id) : undefined,
      xml: shown.join('\n'),
    })
  } catch {
    // Whoever looks on must not change what happens.
  }
}

function showField(name: string, value: unknown): string {
  if (SECRET_FIELDS.has(name)) return `${name}: ***`
  if (CLIXML_FIELDS.has(name) && typeof value === 'string')
    return maskXml(Buffer.from(value, 'base64').toString('utf8'), TRACE_CHARACTERS_MAX)
  return `${name}: ${JSON.stringify(value)}`
}
