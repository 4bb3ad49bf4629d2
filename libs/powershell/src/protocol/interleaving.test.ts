import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClientEvent, ClientPool } from './client-pool.ts'
import type { PsData } from './ps-data.ts'
import { ServerPool } from './server-pool.ts'

const POOL = '11111111-2222-3333-4444-555555555555'
const idOf = (number: number) => `aaaaaaaa-2222-3333-4444-${String(number).padStart(12, '0')}`

type Plan = { readonly outputs: readonly string[]; readonly parameter: string }
const plan: fc.Arbitrary<Plan> = fc.record({
  outputs: fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 6 }),
  parameter: fc.string({ unit: 'binary', maxLength: 200 }),
})

/** Cuts bytes at any places, fragment headers included. */
function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0
  for (let next = 0; at < bytes.length; next++) {
    const size = sizes[next % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

describe('many pipelines of one pool', () => {
  test('arrive whole, whatever the fragments, the pieces and the order of the streams', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 })
    const order = fc.infiniteStream(fc.nat())
    fc.assert(
      fc.property(
        fc.array(plan, { minLength: 1, maxLength: 5 }),
        sizes,
        fc.integer({ min: 22, max: 300 }),
        order,
        (plans, cut, fragment, turns) => {
          const client = new ClientPool({ runspacePoolId: POOL, runspaces: { min: 1, max: plans.length } })
          const server = new ServerPool()
          for (const piece of pieces(client.open(fragment), cut)) server.receive(piece)
          for (const piece of pieces(server.take(undefined, 100_000), cut)) client.receive(undefined, piece)

          const parameters = sendAll(client, server, plans, fragment, cut)
          for (const [index, { outputs }] of plans.entries()) {
            server.outputObjects(idOf(index), outputs)
            server.state(idOf(index), 'completed')
          }
          const received = receiveAll(client, server, plans.length, fragment + 64, cut, turns)

          expect(parameters).toEqual(plans.map((each) => each.parameter))
          expect(received.map(valuesOf)).toEqual(plans.map(({ outputs }) => outputs))
          expect(received.map((events) => events.at(-1))).toMatchObject(plans.map(() => ({ state: 'completed' })))
        },
      ),
      { numRuns: 60 },
    )
  })
})

function sendAll(
  client: ClientPool,
  server: ServerPool,
  plans: readonly Plan[],
  fragmentBytesMax: number,
  cut: readonly number[],
) {
  return plans.map(({ parameter }, index) => {
    const pipelineId = idOf(index)
    const fragments = client.startPipeline(
      { name: 'Set-X', parameters: { Value: parameter } },
      { pipelineId, fragmentBytesMax },
    )
    const events = [...pieces(Buffer.concat(fragments), cut)].flatMap((piece) => server.receive(piece, pipelineId))
    const [event] = events
    return event?.kind === 'pipeline' ? event.commands[0]?.parameters[0]?.value : undefined
  })
}

/** Takes from the streams in turns as `turns` has them, a few bytes at a time. */
function receiveAll(
  client: ClientPool,
  server: ServerPool,
  count: number,
  takeBytes: number,
  cut: readonly number[],
  turns: Iterator<number>,
): ClientEvent[][] {
  const received: ClientEvent[][] = Array.from({ length: count }, () => [])
  const waiting = Array.from({ length: count }, (_, index) => index)
  while (waiting.length > 0) {
    const turn = Number(turns.next().value) % waiting.length
    const index = waiting[turn] ?? 0
    if (!server.hasBytes(idOf(index))) {
      waiting.splice(turn, 1)
      continue
    }
    for (const piece of pieces(server.take(idOf(index), takeBytes), cut))
      received[index]?.push(...client.receive(idOf(index), piece))
  }
  return received
}

function valuesOf(events: readonly ClientEvent[]): PsData[] {
  return events.flatMap((event) => (event.kind === 'output' ? [event.value] : []))
}
