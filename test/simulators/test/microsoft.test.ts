import { afterEach, describe, expect, it } from 'vitest'
import type { GraphFaults } from '../src/microsoft/graph-faults.ts'
import { type MicrosoftSimulator, startMicrosoftSimulator } from '../src/microsoft/start-microsoft-simulator.ts'
import { createPopulation } from '../src/population/create-population.ts'
import type { Population } from '../src/population/population.ts'
import { createClient } from './microsoft-client.ts'

// biome-ignore lint/suspicious/noExplicitAny: the answers are looked at, not computed with.
type Json = any

const running: MicrosoftSimulator[] = []

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

async function start(options: { devices?: number; faults?: GraphFaults; managedDevicesPageSize?: number } = {}) {
  const population = createPopulation({ devices: options.devices ?? 60, seed: 9 })
  const { faults = {}, managedDevicesPageSize = 1000 } = options
  const simulator = await startMicrosoftSimulator({
    population,
    host: '127.0.0.1',
    port: 0,
    latencyMs: 0,
    faults,
    managedDevicesPageSize,
  })
  running.push(simulator)
  return { population, simulator, client: createClient(simulator) }
}

const eventual = { ConsistencyLevel: 'eventual' }

function findRow(population: Population, why: string) {
  const guid = population.traps.get(`device-${why}`)?.[0] ?? ''
  const truth = population.truth.get(guid)
  const row = population.managedDevices.find((candidate) => candidate.id === truth?.managedDeviceId)
  if (truth === undefined || row === undefined) throw new Error(`no ${why}`)
  return { guid, truth, row }
}

describe('sign-in', () => {
  it('grants a token to the right secret and refuses everything else in the words of Entra', async () => {
    const { client } = await start()

    const right = await client.signIn()
    const secret = await client.signIn({ client_secret: 'wrong' })
    const tenant = await client.signIn({}, '11111111-2222-4333-8444-555555555555')
    const app = await client.signIn({ client_id: '11111111-2222-4333-8444-555555555555' })
    const scope = await client.signIn({ scope: 'https://graph.microsoft.com/User.Read' })

    expect(right).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3599 } })
    expect(secret).toMatchObject({ status: 401, body: { error: 'invalid_client', error_codes: [7000215] } })
    expect(secret.body.error_description).toMatch(/^AADSTS7000215: Invalid client secret provided\./)
    expect(tenant).toMatchObject({ status: 400, body: { error: 'invalid_request', error_codes: [90002] } })
    expect(app).toMatchObject({ status: 400, body: { error: 'unauthorized_client', error_codes: [700016] } })
    expect(scope).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    expect((await client.state()).tokens).toBe(1)
  })

  it('describes itself to clients that discover the authority first', async () => {
    const { simulator } = await start()
    const read = async (path: string) => (await (await fetch(`${simulator.authority}${path}`)).json()) as Json

    const tenant = await read(`/${simulator.tenantId}/v2.0/.well-known/openid-configuration`)
    const instance = await read(
      `/common/discovery/instance?api-version=1.1&authorization_endpoint=${simulator.authority}/t/oauth2/v2.0/authorize`,
    )

    expect(tenant.token_endpoint).toBe(`${simulator.authority}/${simulator.tenantId}/oauth2/v2.0/token`)
    expect(instance.metadata[0].aliases).toEqual([new URL(simulator.authority).host])
  })

  it('wants a token that still lives', async () => {
    const { client, simulator } = await start({ faults: { tokenLifetimeSeconds: 0 } })

    const without = await fetch(`${simulator.endpoint}/v1.0/deviceManagement/managedDevices`)
    const expired = await client.get('/deviceManagement/managedDevices')

    expect(without.status).toBe(401)
    expect(without.headers.get('www-authenticate')).toContain('Bearer')
    expect(expired).toMatchObject({ status: 401, body: { error: { code: 'InvalidAuthenticationToken' } } })
    expect(expired.body.error.message).toContain('expired')
  })
})

describe('managedDevices', () => {
  it('walks all rows in pages, with exactly the properties asked for', async () => {
    const { client, population } = await start({ managedDevicesPageSize: 25 })

    const { rows, pages } = await client.walk('/deviceManagement/managedDevices?$select=id,easDeviceId,complianceState')

    expect(pages).toBe(Math.ceil(population.managedDevices.length / 25))
    expect(rows.map((row) => row.id)).toEqual(population.managedDevices.map((row) => row.id))
    expect(Object.keys(rows[0])).toEqual(['id', 'easDeviceId', 'complianceState'])
  })

  it('returns every row for a filter on easDeviceId and says so only in its own ledger', async () => {
    const { client, population } = await start()
    const { row } = findRow(population, 'compliant')

    const ignored = await client.get(`/deviceManagement/managedDevices?$filter=easDeviceId eq '${row.easDeviceId}'`)
    const honoured = await client.get(`/deviceManagement/managedDevices?$filter=azureADDeviceId eq '${row.azureADDeviceId}'`)

    expect(ignored.body.value).toHaveLength(population.managedDevices.length)
    expect(honoured.body.value.map((found: Json) => found.id)).toEqual([row.id])
    expect((await client.state()).ignoredFilters).toBe(1)
  })

  it('answers one row by id, and all of one person', async () => {
    const { client, population } = await start()
    const { row } = findRow(population, 'compliant')

    const one = await client.get(`/deviceManagement/managedDevices/${row.id}`)
    const own = await client.get(`/users/${row.userId}/managedDevices?$select=id`)
    const none = await client.get('/deviceManagement/managedDevices/00000000-0000-4000-8000-000000000000')
    const nobody = await client.get('/users/00000000-0000-4000-8000-000000000000/managedDevices')

    expect(one.body).toMatchObject({ id: row.id, exchangeAccessState: 'none', complianceState: 'compliant' })
    expect(own.body.value).toContainEqual({ id: row.id })
    expect(none).toMatchObject({ status: 404, body: { error: { code: 'ResourceNotFound' } } })
    expect(nobody).toMatchObject({ status: 404, body: { error: { code: 'Request_ResourceNotFound' } } })
  })

  it('refuses an unknown property and a page token it never gave', async () => {
    const { client } = await start()

    const property = await client.get('/deviceManagement/managedDevices?$select=id,nonsense')
    const token = await client.get('/deviceManagement/managedDevices?$skiptoken=abc')

    expect(property.body.error.message).toContain("named 'nonsense' on type 'microsoft.graph.managedDevice'")
    expect([property.status, token.status]).toEqual([400, 400])
  })

  it('loses rows as the plan says: all of them, a page, some each walk, some once', async () => {
    const { client, population } = await start({ managedDevicesPageSize: 20 })
    const total = population.managedDevices.length
    const id = population.managedDevices[3]?.id ?? ''
    const count = async (graph: GraphFaults) => {
      await client.post('/__simulator/faults', { graph })
      return (await client.walk('/deviceManagement/managedDevices?$select=id')).rows.length
    }

    expect(await count({ emptyDevices: true })).toBe(0)
    expect(await count({ missingPage: 1 })).toBe(total - 20)
    expect(await count({ missingPage: 2 })).toBe(total - 20)
    expect(await count({ missingPage: 99 })).toBe(total)
    expect(await count({ missingRowsPercent: 30 })).toBeLessThan(total)
    expect(await count({ missingRowsOnce: [id] })).toBe(total - 1)
    expect((await client.walk('/deviceManagement/managedDevices?$select=id')).rows).toHaveLength(total)
    expect(await count({})).toBe(total)
  })
})

describe('groups', () => {
  it('expands groups within groups to users, each once, with a count', async () => {
    const { client, population } = await start({ devices: 300 })
    const [id] = population.policy.includedGroups
    const path = `/groups/${id}/transitiveMembers/microsoft.graph.user?$count=true&$top=50&$select=id,userPrincipalName,assignedPlans`

    const first = await client.get(path, eventual)
    const { rows } = await client.walk(path, eventual)
    const nested = population.groups.filter((group) => group.displayName.startsWith('Sales')).flatMap((group) => group.members)

    expect(first.body['@odata.count']).toBe(rows.length)
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length)
    for (const member of nested) if (member.kind === 'user') expect(rows.map((row) => row.id)).toContain(member.id)
    expect(Object.keys(rows[0])).toEqual(['id', 'userPrincipalName', 'assignedPlans'])
  })

  it('wants ConsistencyLevel and a decent $top, and knows no other groups', async () => {
    const { client, population } = await start()
    const [id] = population.policy.includedGroups
    const path = `/groups/${id}/transitiveMembers/microsoft.graph.user`

    const header = await client.get(`${path}?$count=true`)
    const count = await client.get(path, eventual)
    const top = await client.get(`${path}?$count=true&$top=1000`, eventual)
    const unknown = await client.get(
      '/groups/00000000-0000-4000-8000-000000000000/transitiveMembers/microsoft.graph.user?$count=true',
      eventual,
    )
    const malformed = await client.get('/groups/nonsense')
    const plain = await client.get(`/groups/${id}/transitiveMembers?$top=999`)

    expect([header.status, count.status, top.status, unknown.status, malformed.status]).toEqual([400, 400, 400, 404, 400])
    expect(unknown.body.error.code).toBe('Request_ResourceNotFound')
    expect(new Set(plain.body.value.map((member: Json) => member['@odata.type']))).toContain('#microsoft.graph.group')
  })

  it('shows only ids when the application may not read users', async () => {
    const { client, population } = await start({ faults: { deniedPermissions: ['User.Read.All'] } })
    const [id] = population.policy.includedGroups

    const { body } = await client.get(
      `/groups/${id}/transitiveMembers/microsoft.graph.user?$count=true&$select=id,mail`,
      eventual,
    )

    expect(body.value[0].id).toMatch(/^[0-9a-f-]{36}$/)
    expect(body.value[0].mail).toBeNull()
  })

  it('refuses what the application may not read at all', async () => {
    const denied = ['GroupMember.Read.All', 'DeviceManagementManagedDevices.Read.All']
    const { client, population } = await start({ faults: { deniedPermissions: denied } })

    const group = await client.get(`/groups/${population.policy.includedGroups[0]}`)
    const devices = await client.get('/deviceManagement/managedDevices')

    expect(group).toMatchObject({ status: 403, body: { error: { code: 'Authorization_RequestDenied' } } })
    expect(devices).toMatchObject({ status: 403, body: { error: { code: 'Forbidden' } } })
    expect(devices.body.error.message).toContain('must have one of the following scopes')
  })
})

describe('devices/delta', () => {
  it('reports a device whose compliance changes, and tells the truth about its partnership', async () => {
    const { client, population } = await start()
    const { row, truth } = findRow(population, 'compliant')
    const latest = await client.get('/devices/delta?$deltatoken=latest&$select=deviceId,isCompliant,isManaged')
    const quiet = await client.get(latest.body['@odata.deltaLink'])

    const changed = await client.post('/__simulator/population-change', {
      device: row.easDeviceId,
      complianceState: 'noncompliant',
    })
    const after = await client.get(quiet.body['@odata.deltaLink'])
    const again = await client.get(quiet.body['@odata.deltaLink'])
    const later = await client.get(after.body['@odata.deltaLink'])

    expect(latest.body.value).toEqual([])
    expect(quiet.body.value).toEqual([])
    expect(changed.body.changed).toHaveLength(1)
    expect(after.body.value).toMatchObject([{ deviceId: row.azureADDeviceId, isCompliant: false, isManaged: true }])
    expect(again.body.value).toEqual(after.body.value)
    expect(later.body.value).toEqual([])
    expect(truth).toMatchObject({ access: 'block', list: 'block', why: 'noncompliant' })
    expect((await client.get(`/deviceManagement/managedDevices/${row.id}`)).body.complianceState).toBe('noncompliant')
  })

  it("leaves an administrator's word alone, forgets retired devices and refuses nonsense", async () => {
    const { client, population } = await start()
    const allowed = findRow(population, 'admin-allowed')
    const retired = findRow(population, 'compliant')

    await client.post('/__simulator/population-change', { device: allowed.row.id, complianceState: 'error' })
    await client.post('/__simulator/population-change', { device: retired.row.id, enrolled: false })
    const unknown = await client.post('/__simulator/population-change', { device: 'nobody', complianceState: 'error' })
    const nonsense = await client.post('/__simulator/population-change', { device: retired.row.id, complianceState: 'tired' })

    expect(allowed.truth).toMatchObject({ access: 'allow', list: 'allow' })
    expect(retired.truth).toMatchObject({ access: 'block', why: 'not-enrolled' })
    expect((await client.get(`/users/${retired.row.userId}/managedDevices`)).body.value).not.toContainEqual(
      expect.objectContaining({ id: retired.row.id }),
    )
    expect([unknown.status, nonsense.status]).toEqual([404, 400])
  })

  it('lists all devices without a token, and forgets links when told to', async () => {
    const { client, population } = await start({ devices: 400 })

    const { rows, pages } = await client.walk('/devices/delta?$select=deviceId')
    const latest = await client.get('/devices/delta?$deltatoken=latest')
    await client.post('/__simulator/faults', { graph: { expireDeltaTokens: true } })
    const gone = await client.get(latest.body['@odata.deltaLink'])

    expect(rows).toHaveLength(population.entraDevices.length)
    expect(pages).toBeGreaterThan(1)
    expect(gone.status).toBe(410)
  })
})

describe('$batch', () => {
  it('answers up to twenty requests in any order, each with its own status', async () => {
    const { client, population } = await start()
    await client.signIn()
    const users = population.users.slice(0, 19)
    const requests = [...users.map((user) => user.id), 'nobody'].map((id, index) => ({
      id: String(index),
      method: 'GET',
      url: `/users/${id}/managedDevices?$select=id`,
    }))

    const { status, body } = await client.post('/v1.0/$batch', { requests })
    const tooMany = await client.post('/v1.0/$batch', { requests: [...requests, { id: 'x', method: 'GET', url: '/users/x' }] })
    const ids = body.responses.map((response: Json) => response.id)

    expect(status).toBe(200)
    expect([...ids].sort()).toEqual(requests.map((request) => request.id).sort())
    expect(ids).not.toEqual(requests.map((request) => request.id))
    expect(body.responses.find((response: Json) => response.id === '19').status).toBe(404)
    expect(tooMany.status).toBe(400)
    expect(await client.state()).toMatchObject({
      requests: { batch: 2 },
      batched: { userManagedDevices: 20 },
      graphRequests: 2,
    })
  })

  it('throttles inside while the outside stays 200, and fails what depends on a failure', async () => {
    const { client, population } = await start()
    await client.signIn()
    await client.post('/__simulator/faults', { graph: { throttleNext: 1, retryAfterSeconds: 2.5 } })
    const url = `/users/${population.users[0]?.id}/managedDevices`

    const { status, body } = await client.post('/v1.0/$batch', {
      requests: [
        { id: '1', method: 'GET', url },
        { id: '2', method: 'GET', url: `${url}?$select=id`, dependsOn: ['1'] },
      ],
    })
    const byId = Object.fromEntries(body.responses.map((response: Json) => [response.id, response]))

    expect(status).toBe(200)
    expect(byId['1']).toMatchObject({ status: 429, headers: { 'retry-after': '2.5' } })
    expect(byId['2'].status).toBe(424)
  })
})

describe('the ledger', () => {
  it('counts a full refresh done well as exactly the least', async () => {
    const { client, population } = await start({ devices: 2000 })
    const { includedGroups, excludedGroups } = population.policy

    await client.walk('/deviceManagement/managedDevices?$select=id')
    for (const id of [...includedGroups, ...excludedGroups]) {
      await client.walk(`/groups/${id}/transitiveMembers/microsoft.graph.user?$count=true&$top=999&$select=id`, eventual)
    }
    await client.get('/devices/delta?$deltatoken=latest')
    const state = await client.state()

    expect(state.graphRequests).toBe(state.graphRequestsLeast)
    expect(state).toMatchObject({ tokens: 1, tooEarly: 0, throttled: 0, refusals: {} })
  })

  it('notices who does not wait, and who is sent away', async () => {
    const { client } = await start()
    await client.signIn()
    await client.post('/__simulator/faults', { graph: { throttleNext: 1, retryAfterSeconds: 30 } })

    const first = await client.get('/deviceManagement/managedDevices')
    await client.get('/deviceManagement/managedDevices')
    await client.post('/__simulator/faults', { graph: { unavailable: 1 } })
    const outage = await client.get('/deviceManagement/managedDevices')
    const after = await client.get('/deviceManagement/managedDevices')

    expect([first.status, outage.status, after.status]).toEqual([429, 503, 200])
    expect(await client.state()).toMatchObject({
      throttled: 2,
      tooEarly: 1,
      refusals: { '429 TooManyRequests': 2, '503 serviceNotAvailable': 1 },
    })
  })

  it('refuses a plan it does not understand, naming all that is wrong', async () => {
    const { client } = await start()

    const { status, body } = await client.post('/__simulator/faults', { graph: { throttlePercent: 200, nonsense: 1 } })

    expect(status).toBe(400)
    expect(body.error.message).toContain('graph.throttlePercent: 200 is not a number from 0 to 100')
    expect(body.error.message).toContain('graph.nonsense: unknown')
  })
})
