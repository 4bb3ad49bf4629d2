import { afterAll, beforeAll, inject, it } from 'vitest'
import {
  type BrokerSource,
  type BrokerUnderTest,
  START_TIMEOUT_MS,
  startBrokerUnderTest,
} from '../../../libs/broker/test/broker-under-test.ts'
import type { BrokerTarget } from '../../environment/provided-parts.ts'
import { startTestNode } from '../../environment/start-test-node.ts'

type Body = () => void | Promise<void>

/** `it` and `it.for`, once for each broker. */
export type ItOnEachBroker = {
  (title: string, body: Body, timeoutMs?: number): void
  for<T>(cases: readonly T[]): (title: string, body: (one: T) => void | Promise<void>) => void
}

/**
 * For a test file: each of its tests on every broker of the conformance suite. `take` is given the test's broker before it begins;
 * `own`: a node that the test may break; `fresh`: one virtual host for each test, not for the file. On a broker that cannot be
 * had, each test counts as skipped, by that broker's name.
 */
export function onEachBroker(
  take: (broker: BrokerUnderTest) => void,
  options: { own?: boolean; fresh?: boolean } = {},
): ItOnEachBroker {
  const contexts = inject('brokers').map((target) => {
    const missing = whyNot(target, options.own === true)
    const source = sourceOf(target)
    const start = () => startBrokerUnderTest({ source, own: options.own === true })
    let shared: BrokerUnderTest | undefined
    if (missing === undefined && options.fresh !== true) {
      beforeAll(async () => {
        shared = await start()
      }, START_TIMEOUT_MS)
      afterAll(async () => {
        await shared?.[Symbol.asyncDispose]()
      }, START_TIMEOUT_MS)
    }
    const withBroker = async (body: Body): Promise<void> => {
      if (shared !== undefined) {
        take(shared)
        return await body()
      }
      await using fresh = await start()
      take(fresh)
      await body()
    }
    const test = it.skipIf(missing !== undefined)
    const titleOf = (title: string) => `on ${target.name}${missing === undefined ? '' : ` (not here: ${missing})`}: ${title}`
    return { test, titleOf, withBroker }
  })
  const register = (title: string, body: Body, timeoutMs?: number): void => {
    for (const { test, titleOf, withBroker } of contexts) test(titleOf(title), () => withBroker(body), timeoutMs)
  }
  const registerFor: ItOnEachBroker['for'] = (cases) => (title, body) => {
    for (const { test, titleOf, withBroker } of contexts) test.for(cases)(titleOf(title), (one) => withBroker(() => body(one)))
  }
  return Object.assign(register, { for: registerFor })
}

function whyNot({ unavailable, nodes }: BrokerTarget, own: boolean): string | undefined {
  if (unavailable !== undefined) return unavailable
  return own && nodes === undefined ? 'a broker that is not ours must not be broken' : undefined
}

function sourceOf({ amqpUrl, managementUrl, nodes }: BrokerTarget): BrokerSource {
  return {
    shared: { amqpUrl, managementUrl },
    startNode: (directory, signal) => {
      if (nodes === undefined) throw new Error('Not a broker that can be broken')
      return startTestNode(nodes, directory, signal)
    },
  }
}
