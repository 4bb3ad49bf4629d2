import { findProxyProblem } from '@gatehouse/http-proxy'
import { PermanentError } from '@gatehouse/messages'
import { Tracer } from '@gatehouse/tracing'
import manifest from '../package.json' with { type: 'json' }
import { checkOrigin } from './check-origin.ts'
import { createDeltaRounds } from './delta-round.ts'
import type { Graph, GraphOptions } from './graph.ts'
import { readDevicesDelta, startDevicesDelta } from './read-devices-delta.ts'
import { groupMembersPath, MANAGED_DEVICES_PATH, readGroupMemberPages, readManagedDevicePages } from './read-lists.ts'
import { readManagedDevicesOfUsers, readUsersOfDevices } from './read-of-users.ts'
import { createRequester, type GraphCounts } from './requester.ts'
import { createThrottleGate } from './throttle-gate.ts'
import { createTokens } from './tokens.ts'
import { createTransport } from './transport.ts'
import { createWalkMemory } from './walk-memory.ts'

const LINK_AGE_MS_MAX = 30 * 60_000

/**
 * A client of Microsoft Graph for one tenant and application. Nothing is sent before the first read.
 * @throws PermanentError('graph-insecure') for plain http that leaves this machine, PermanentError('graph-address-invalid'),
 * PermanentError('graph-proxy-invalid').
 */
export function createGraph(options: GraphOptions): Graph {
  const { log } = options
  const endpoint = checkOrigin(options.endpoint, 'graph.endpoint')
  const counts: GraphCounts = { graph: 0, token: 0, throttled: 0 }
  const lifetime = new AbortController()
  const gate = createThrottleGate()
  const userAgent = options.userAgent ?? `Gatehouse/${manifest.version}`
  const { ca, proxy, connectMs } = options
  const proxyProblem = proxy && findProxyProblem(proxy)
  if (proxyProblem !== undefined) throw new PermanentError('graph-proxy-invalid', `graph.proxy: ${proxyProblem}`)
  const transport = createTransport({ userAgent, ca, proxy, connectMs })
  const onRequest = () => {
    counts.token += 1
  }
  const tokens = createTokens({ ...options, transport, lifetime: lifetime.signal, onRequest })
  const request = createRequester({ endpoint, transport, tokens, gate, counts, log, tracer: options.tracer ?? new Tracer() })
  const deps = { request, endpoint, log, gate, counts }
  const walks = createWalkMemory()
  const rounds = createDeltaRounds()
  let latest: { link: string; at: number } | undefined

  return {
    async readManagedDevices(walk, signal) {
      const advance = (pages: Parameters<typeof readManagedDevicePages>[0]) => readManagedDevicePages(pages, deps, signal)
      const { rows, rejected } = await walks.devices(walk, { first: MANAGED_DEVICES_PATH, advance }, signal)
      return { devices: [...rows.values()], rejected }
    },
    async readGroupMembers(walk, groupId, signal) {
      const advance = (pages: Parameters<typeof readGroupMemberPages>[0]) => readGroupMemberPages(pages, groupId, deps, signal)
      const { rows } = await walks.members(walk, groupId, { first: groupMembersPath(groupId), advance }, signal)
      return [...rows.values()]
    },
    async startDevicesDelta(signal) {
      const at = performance.now()
      // What is read from here on may be kept from before; then the changes must be counted from before as well.
      if (latest !== undefined && at - latest.at <= LINK_AGE_MS_MAX && walks.holdsAny()) return latest.link
      walks.clear()
      latest = undefined
      const link = await startDevicesDelta(deps, signal)
      latest = { link, at }
      return link
    },
    async readDevicesDelta(deltaLink, signal) {
      const resumed = rounds.resume(deltaLink)
      if (resumed !== undefined) return resumed
      const startedAt = performance.now()
      const delta = await readDevicesDelta(deltaLink, deps, signal)
      if (delta.expired !== true) rounds.begin(deltaLink, startedAt, delta)
      return delta
    },
    readManagedDevicesOfUsers: (userIds, signal) =>
      rounds.read((kept) => readManagedDevicesOfUsers(userIds, kept, deps, signal), true),
    readUsersOfDevices: (ids, signal) => rounds.read((kept) => readUsersOfDevices(ids, kept, deps, signal), false),
    requestCounts: () => ({ ...counts }),
    async [Symbol.asyncDispose]() {
      lifetime.abort(new Error('The Graph client is closed'))
      await transport.close()
    },
  }
}
