import { createPopulation, type GraphFaults, startMicrosoftSimulator } from '@gatehouse/simulators'
import { afterEach, describe, expect, it } from 'vitest'
import { createGraph, type Graph, type GraphOptions } from '../src/index.ts'

const signal = new AbortController().signal
const log = { debug() {}, info() {}, warn() {}, error() {} }
const cleanups: (() => PromiseLike<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type State = {
  graphRequests: number
  graphRequestsLeast: number
  tokens: number
  throttled: number
  tooEarly: number
  ignoredFilters: number
}

async function start(o: { devices?: number; faults?: GraphFaults; options?: Partial<GraphOptions> } = {}) {
  const population = createPopulation({ devices: o.devices ?? 60, seed: 7 })
  const simulator = await startMicrosoftSimulator({
    population,
    host: '127.0.0.1',
    port: 0,
    latencyMs: 0,
    managedDevicesPageSize: 20,
    ...(o.faults && { faults: o.faults }),
  })
  cleanups.push(() => simulator.stop())
  const { tenantId, clientId, clientSecret, authority, endpoint } = simulator
  const graph = createGraph({ tenantId, clientId, clientSecret, authority, endpoint, log, ...o.options })
  cleanups.push(() => graph[Symbol.asyncDispose]())
  const post = async (name: string, body: unknown) => {
    const headers = { connection: 'close' }
    const answer = await fetch(`${simulator.url}/__simulator/${name}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(await answer.text())
  }
  const state = async () => {
    const answer = await fetch(`${simulator.url}/__simulator/state`, { headers: { connection: 'close' } })
    return (await answer.json()) as State
  }
  return {
    population,
    simulator,
    graph,
    state,
    inject: (graph: GraphFaults) => post('faults', { graph }),
    change: (c: object) => post('population-change', c),
  }
}

/** Asks again when told to, as the delay ladder does. */
async function persist<T>(read: () => Promise<T>, attemptsMax = 200): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read()
    } catch (error) {
      const { code, retryAfterMs } = error as { code?: string; retryAfterMs?: number }
      if (code !== 'graph-throttled' || retryAfterMs === undefined || attempt >= attemptsMax) throw error
      const { promise, resolve } = Promise.withResolvers<void>()
      setTimeout(resolve, retryAfterMs)
      await promise
    }
  }
}

async function refresh(graph: Graph, groups: readonly string[]) {
  const link = await graph.startDevicesDelta(signal)
  const { devices } = await graph.readManagedDevices('run', signal)
  for (const group of groups) await graph.readGroupMembers('run', group, signal)
  return { devices, link }
}

describe('a full refresh', () => {
  it('takes the least requests and one token, and reads every device and member', async () => {
    const { population, graph, state } = await start()
    const { includedGroups, excludedGroups } = population.policy

    const { devices } = await refresh(graph, [...new Set([...includedGroups, ...excludedGroups])])

    expect(devices.map((device) => device.id).toSorted()).toEqual(population.managedDevices.map((row) => row.id).toSorted())
    const { graphRequests, graphRequestsLeast, tokens, ignoredFilters } = await state()
    expect({ graphRequests, tokens, ignoredFilters }).toEqual({
      graphRequests: graphRequestsLeast,
      tokens: 1,
      ignoredFilters: 0,
    })
    expect(graph.requestCounts()).toEqual({ graph: graphRequests, token: 1, throttled: 0 })
  })

  it('reads what a person is licensed for and speaks', async () => {
    const { population, graph } = await start()
    const group = population.policy.includedGroups[0] as string

    const users = await graph.readGroupMembers('run', group, signal)

    expect(users.length).toBeGreaterThan(0)
    for (const user of users) {
      const entra = population.users.find((candidate) => candidate.id === user.id)
      const licensed = entra?.assignedPlans.some((plan) => plan.service === 'SCO' && plan.capabilityStatus === 'Enabled')
      expect(user).toMatchObject({ licensed, userPrincipalName: entra?.userPrincipalName, mail: entra?.mail ?? '' })
    }
  })

  it('ends under throttling, never too early, and reads no page twice', async () => {
    const { population, graph, state } = await start({
      devices: 200,
      faults: { throttlePercent: 40, retryAfterSeconds: 0.26, seed: 3 },
    })
    const { includedGroups } = population.policy

    const { devices } = await persist(() => refresh(graph, includedGroups))

    expect(devices).toHaveLength(population.managedDevices.length)
    const { throttled, tooEarly, graphRequests, graphRequestsLeast } = await state()
    expect(throttled).toBeGreaterThan(0)
    expect(tooEarly).toBe(0)
    expect(graphRequests - throttled).toBeLessThanOrEqual(graphRequestsLeast)
  })
})

describe('changes', () => {
  it('lead from the devices that changed to their users and to all managed devices of those', async () => {
    const { population, graph, change } = await start()
    const row = population.managedDevices.find((candidate) => candidate.userId !== '')
    const link = await graph.startDevicesDelta(signal)
    expect(await graph.readDevicesDelta(link, signal)).toMatchObject({ azureADDeviceIds: [] })

    await change({ device: row?.id, complianceState: 'conflict' })
    const delta = await graph.readDevicesDelta(link, signal)
    const users = await graph.readUsersOfDevices(delta.azureADDeviceIds, signal)
    const { devices, complete } = await graph.readManagedDevicesOfUsers(users, signal)

    expect(users).toEqual([row?.userId])
    expect(complete).toEqual(users)
    expect(devices.map((device) => device.id).toSorted()).toEqual(
      population.managedDevices
        .filter((candidate) => candidate.userId === row?.userId)
        .map(({ id }) => id)
        .toSorted(),
    )
    expect(devices.find((device) => device.id === row?.id)?.complianceState).toBe('conflict')
    expect(await graph.readDevicesDelta(delta.deltaLink, signal)).toMatchObject({ azureADDeviceIds: [] })
  })

  it('are read to the end under throttling inside batches, never too early', async () => {
    const { population, graph, inject, state } = await start({ devices: 200 })
    await inject({ throttlePercent: 10, retryAfterSeconds: 0.05, seed: 5 })
    const users = [...new Set(population.managedDevices.map((row) => row.userId))].filter((id) => id !== '')
    const ids = population.managedDevices.slice(0, 40).map((row) => row.azureADDeviceId)
    const link = await persist(() => graph.startDevicesDelta(signal))
    const owners = await persist(async () => {
      await graph.readDevicesDelta(link, signal)
      return await graph.readUsersOfDevices(ids, signal)
    })
    // One path is asked for by all of a batch: what stands behind a throttled one cannot help being too early.
    const { tooEarly } = await state()

    const { devices, complete } = await persist(() => graph.readManagedDevicesOfUsers(users, signal))

    const owned = population.managedDevices.filter((row) => row.userId !== '' && ids.includes(row.azureADDeviceId))
    expect(owners.toSorted()).toEqual([...new Set(owned.map((row) => row.userId))].toSorted())
    expect(complete.toSorted()).toEqual(users.toSorted())
    expect(devices).toHaveLength(population.managedDevices.filter((row) => row.userId !== '').length)
    expect(graph.requestCounts().throttled).toBeGreaterThan(0)
    expect(await state()).toMatchObject({ tooEarly, ignoredFilters: 0 })
  })

  it('say that the link has expired, or is of another endpoint', async () => {
    const { graph, inject } = await start()
    const link = await graph.startDevicesDelta(signal)
    await inject({ expireDeltaTokens: true })

    expect(await graph.readDevicesDelta(link, signal)).toMatchObject({ expired: true })
    expect(await graph.readDevicesDelta('https://example.com/v1.0/devices/delta?x', signal)).toMatchObject({ expired: true })
  })

  it('of a user who is gone are none', async () => {
    const { graph } = await start()
    const id = '00000000-0000-0000-0000-00000000dead'

    expect(await graph.readManagedDevicesOfUsers([id], signal)).toEqual({ devices: [], complete: [id] })
  })
})

describe('the client secret', () => {
  it('is asked for at each sign-in, so that a changed one needs no restart', async () => {
    const secrets = ['expired']
    const { graph, simulator } = await start({ options: { clientSecret: () => secrets[0] ?? '' } })
    await expect(graph.readManagedDevices('run', signal)).rejects.toMatchObject({ code: 'graph-credentials-invalid' })

    secrets[0] = simulator.clientSecret

    expect((await graph.readManagedDevices('run', signal)).devices).not.toEqual([])
  })
})

describe('a refusal', () => {
  it.each([
    [{ clientSecret: 'wrong' }, 'graph-credentials-invalid'],
    [{ clientId: '00000000-0000-0000-0000-000000000001' }, 'graph-application-unknown'],
    [{ tenantId: '00000000-0000-0000-0000-000000000001' }, 'graph-tenant-unknown'],
  ])('of %o is %s', async (options, code) => {
    const { graph } = await start({ options })

    await expect(graph.readManagedDevices('run', signal)).rejects.toMatchObject({ name: 'PermanentError', code })
  })

  it.each(['DeviceManagementManagedDevices.Read.All', 'GroupMember.Read.All', 'User.Read.All', 'Device.Read.All'])(
    'for want of %s names it',
    async (permission) => {
      const { population, graph } = await start({ faults: { deniedPermissions: [permission] } })

      await expect(refresh(graph, population.policy.includedGroups)).rejects.toMatchObject({
        code: 'graph-permission-missing',
        message: expect.stringContaining(permission),
      })
    },
  )

  it('for want of the permission is named for users in a batch as well', async () => {
    const { population, graph } = await start({ faults: { deniedPermissions: ['DeviceManagementManagedDevices.Read.All'] } })
    const users = population.managedDevices.slice(0, 30).map((row) => row.userId)

    await expect(graph.readManagedDevicesOfUsers(users, signal)).rejects.toMatchObject({ code: 'graph-permission-missing' })
  })

  it('of a group that is gone names the group', async () => {
    const { graph } = await start()
    const group = '00000000-0000-0000-0000-00000000dead'

    await expect(graph.readGroupMembers('run', group, signal)).rejects.toMatchObject({
      code: 'graph-group-unknown',
      message: expect.stringContaining(group),
    })
  })

  it('that passes is told as such, and the next call succeeds at once', async () => {
    const { graph, inject } = await start({ faults: { loginUnavailable: true } })
    await expect(graph.readManagedDevices('run', signal)).rejects.toMatchObject({ code: 'graph-unavailable' })

    await inject({ unavailable: 1 })
    await expect(graph.readManagedDevices('run', signal)).rejects.toMatchObject({ code: 'graph-unavailable' })

    expect((await graph.readManagedDevices('run', signal)).devices.length).toBeGreaterThan(0)
  })

  it('of a revoked token is answered by another one', async () => {
    const { graph, inject } = await start()
    await graph.startDevicesDelta(signal)
    await inject({ revokeTokens: true })

    await graph.readManagedDevices('run', signal)

    expect(graph.requestCounts().token).toBe(2)
  })
})

it('asks for one token however many read at once', async () => {
  const { population, graph } = await start()

  await Promise.all([
    graph.startDevicesDelta(signal),
    graph.readManagedDevices('run', signal),
    ...population.policy.includedGroups.map((group) => graph.readGroupMembers('run', group, signal)),
  ])

  expect(graph.requestCounts().token).toBe(1)
})
