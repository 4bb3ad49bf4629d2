import { startLocalRabbitmq } from '@gatehouse/broker/local'
import type { NodeUnderTest } from '../../libs/broker/test/broker-under-test.ts'
import type { NodeSource } from './provided-parts.ts'
import { startRabbitmqContainer } from './test-containers.ts'

/** Starts a RabbitMQ node of this kind, which whoever starts it may break. */
export async function startTestNode(source: NodeSource, directory: string, signal: AbortSignal): Promise<NodeUnderTest> {
  if (source.kind === 'image') return await startRabbitmqContainer(source, signal)
  const log = { info: print, warn: print }
  return await startLocalRabbitmq({ directory, log, signal, ...(source.folder !== undefined && { path: source.folder }) })
}

function print(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
}
