import { readFile } from 'node:fs/promises'
import { createDatabase } from '@gatehouse/store'
import { databaseUrlOf, type Settings } from '@gatehouse/worker'
import { Agent } from 'undici'
import { createControlClient } from '../control-client.ts'
import { readersOf } from './start-simulators.ts'
import type { SystemView } from './start-system.ts'

/** A system that somebody else started against simulators, as its settings name it. Disposing lets go of it and leaves it running. */
export async function attachSystem(settings: Settings, signal: AbortSignal): Promise<SystemView & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { control: at, graph, organizations } = settings
  const control = stack.use(await createControlClient({ url: `http://${at.host}:${at.port}`, tokenFile: at.tokenFile }, signal))
  const store = stack.use(
    createDatabase({
      url: databaseUrlOf(settings),
      applicationName: 'gatehouse-cli',
      connectionsMax: 2,
      onConnectionError: () => {},
    }),
  )
  const ca = graph.caFile === undefined ? undefined : await readFile(graph.caFile, 'utf8')
  const agent = new Agent({ connect: ca === undefined ? {} : { ca } })
  stack.defer(() => agent.close())
  const exchange = new URL(organizations[0]?.exchange.url ?? '').origin
  const simulators = readersOf({ exchange, microsoft: new URL(graph.endpoint).origin }, agent)
  const owned = stack.move()
  return {
    control,
    store,
    simulators,
    workers: { running: new Map() },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
