import type { EntraUser, ManagedDeviceRow } from '../population/population.ts'
import { createSeededRandom } from '../population/seeded-random.ts'
import type { DevicesDelta } from './devices-delta.ts'
import type { Directory, Member } from './directory.ts'
import { answer, type GraphAnswer, type GraphRequest, refuse, refuseAsIntune, refuseUnknownResource } from './graph-answer.ts'
import type { GraphFaults } from './graph-faults.ts'
import type { Ledger } from './ledger.ts'
import { filterManagedDevices } from './managed-device-filter.ts'
import type { Paging } from './paging.ts'
import { defaultUserProperties, printGroup, printMember, printUser } from './print-directory-object.ts'
import { printManagedDevice } from './print-managed-device.ts'
import { parseSelect, pickProperties, refuseUnknownProperty, toContextSuffix } from './select-properties.ts'

export type GraphState = {
  directory: Directory
  delta: DevicesDelta
  paging: Paging
  ledger: Ledger
  faults: GraphFaults
  managedDevicesPageSize: number
  /** Counts the walks through managedDevices, so that each can miss other rows. */
  walks: number
}

export type GraphRoute = {
  kind: string
  workload: 'intune' | 'entra'
  /** One of these application permissions must be granted. */
  permissions: string[]
  read: (request: GraphRequest, state: GraphState) => GraphAnswer
}

const intunePermissions = ['DeviceManagementManagedDevices.Read.All', 'DeviceManagementManagedDevices.ReadWrite.All']
const groupPermissions = ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All']

/** The route of a path below /v1.0; undefined when Graph has none (or we have not built it). */
export function findGraphRoute(segments: string[]): GraphRoute | undefined {
  const [first, id, third, fourth] = segments.map((segment) => segment.toLowerCase())
  const intune = (kind: string, read: GraphRoute['read']): GraphRoute => ({
    kind,
    workload: 'intune',
    permissions: intunePermissions,
    read,
  })
  const entra = (kind: string, permissions: string[], read: GraphRoute['read']): GraphRoute => ({
    kind,
    workload: 'entra',
    permissions,
    read,
  })
  if (first === 'devicemanagement' && id === 'manageddevices') {
    if (segments.length === 2) return intune('managedDevices', readManagedDevices)
    if (segments.length === 3) return intune('managedDevice', readManagedDevice)
  }
  if (first === 'users' && segments.length === 2) return entra('user', ['User.Read.All', 'Directory.Read.All'], readUser)
  if (first === 'users' && third === 'manageddevices' && segments.length === 3) {
    return intune('userManagedDevices', readManagedDevicesOfUser)
  }
  if (first === 'devices' && /^(microsoft\.graph\.)?delta(\(\))?$/.test(id ?? '') && segments.length === 2) {
    return entra('devicesDelta', ['Device.Read.All', 'Directory.Read.All'], (request, { delta }) => delta.read(request))
  }
  if (first === 'groups' && segments.length === 2) return entra('group', groupPermissions, readGroup)
  if (first === 'groups' && (third === 'transitivemembers' || third === 'members') && segments.length <= 4) {
    const cast = {
      undefined: undefined,
      'microsoft.graph.user': 'user',
      'microsoft.graph.group': 'group',
      'microsoft.graph.device': 'device',
    }[String(fourth)]
    if (fourth !== undefined && cast === undefined) return undefined
    const isTransitive = third === 'transitivemembers'
    return entra(isTransitive ? 'transitiveMembers' : 'members', groupPermissions, (request, state) =>
      readMembers(request, state, { isTransitive, cast }),
    )
  }
  return undefined
}

function readManagedDevices(request: GraphRequest, state: GraphState): GraphAnswer {
  const select = parseSelect(request.query)
  const refusal = refuseUnknownProperty(
    select,
    printManagedDevice({ userPrincipalName: '' } as ManagedDeviceRow),
    'managedDevice',
  )
  if (refusal !== undefined) return refusal
  const top = Number(request.query.get('$top') ?? state.managedDevicesPageSize)
  if (!Number.isInteger(top) || top < 1)
    return refuse(400, 'BadRequest', `Invalid value '${request.query.get('$top')}' for $top.`)
  const page = state.paging(request, {
    list: () => beginWalk(request, state),
    pageSize: Math.min(top, state.managedDevicesPageSize),
    missingPage: state.faults.missingPage,
  })
  if ('status' in page) return page
  return answer({
    '@odata.context': `${request.base}/$metadata#deviceManagement/managedDevices${toContextSuffix(select)}`,
    '@odata.count': page.rows.length,
    ...(page.nextLink === undefined ? {} : { '@odata.nextLink': page.nextLink }),
    value: page.rows.map((row) => pickProperties(printManagedDevice(row), select)),
  })
}

function beginWalk(request: GraphRequest, state: GraphState): ManagedDeviceRow[] {
  const { faults, directory } = state
  if (faults.emptyDevices === true) return []
  state.walks += 1
  const filter = request.query.get('$filter')
  let rows = directory.population.managedDevices
  if (filter !== null && filter.trim() !== '') {
    const filtered = filterManagedDevices(rows, filter)
    if (filtered.isIgnored) state.ledger.counts.ignoredFilters += 1
    rows = filtered.rows
  }
  if (faults.missingRowsOnce !== undefined) {
    const missing = new Set(faults.missingRowsOnce)
    delete faults.missingRowsOnce
    rows = rows.filter((row) => !missing.has(row.id))
  }
  if (faults.missingRowsPercent === undefined) return [...rows]
  const random = createSeededRandom((faults.seed ?? 1) + state.walks)
  const share = faults.missingRowsPercent / 100
  return rows.filter(() => !random.chance(share))
}

function readManagedDevice(request: GraphRequest, { directory }: GraphState): GraphAnswer {
  const id = request.segments[2] ?? ''
  const row = directory.population.managedDevices.find((candidate) => candidate.id === id.toLowerCase())
  if (row === undefined) {
    return refuseAsIntune(404, 'ResourceNotFound', 'An error has occurred', `deviceManagement/managedDevices('${id}')`)
  }
  const select = parseSelect(request.query)
  const full = printManagedDevice(row)
  const context = `${request.base}/$metadata#deviceManagement/managedDevices${toContextSuffix(select)}/$entity`
  return (
    refuseUnknownProperty(select, full, 'managedDevice') ??
    answer({ '@odata.context': context, ...pickProperties(full, select) })
  )
}

function readManagedDevicesOfUser(request: GraphRequest, { directory }: GraphState): GraphAnswer {
  const name = request.segments[1] ?? ''
  const user = directory.findUser(name)
  if (user === undefined) return refuseUnknownResource(name)
  const select = parseSelect(request.query)
  const refusal = refuseUnknownProperty(
    select,
    printManagedDevice({ userPrincipalName: '' } as ManagedDeviceRow),
    'managedDevice',
  )
  if (refusal !== undefined) return refusal
  return answer({
    '@odata.context': `${request.base}/$metadata#users('${encodeURIComponent(name)}')/managedDevices${toContextSuffix(select)}`,
    value: directory.readManagedDevices(user.id).map((row) => pickProperties(printManagedDevice(row), select)),
  })
}

function readUser(request: GraphRequest, { directory }: GraphState): GraphAnswer {
  const name = request.segments[1] ?? ''
  const user = directory.findUser(name)
  if (user === undefined) return refuseUnknownResource(name)
  const select = parseSelect(request.query)
  const context = `${request.base}/$metadata#users${toContextSuffix(select)}/$entity`
  const full = printUser(user)
  const picked = pickProperties(full, select ?? defaultUserProperties)
  return refuseUnknownProperty(select, full, 'user') ?? answer({ '@odata.context': context, ...picked })
}

function readGroup(request: GraphRequest, { directory }: GraphState): GraphAnswer {
  const id = request.segments[1] ?? ''
  if (!isGuid(id)) return refuse(400, 'Request_BadRequest', `Invalid object identifier '${id}'.`)
  const group = directory.findGroup(id)
  if (group === undefined) return refuseUnknownResource(id)
  const select = parseSelect(request.query)
  const full = printGroup(group)
  const context = `${request.base}/$metadata#groups${toContextSuffix(select)}/$entity`
  return refuseUnknownProperty(select, full, 'group') ?? answer({ '@odata.context': context, ...pickProperties(full, select) })
}

function readMembers(
  request: GraphRequest,
  state: GraphState,
  options: { isTransitive: boolean; cast: string | undefined },
): GraphAnswer {
  const { query } = request
  const id = request.segments[1] ?? ''
  if (!isGuid(id)) return refuse(400, 'Request_BadRequest', `Invalid object identifier '${id}'.`)
  const group = state.directory.findGroup(id)
  if (group === undefined) return refuseUnknownResource(id)
  const isAdvanced =
    request.headers['consistencylevel']?.toLowerCase() === 'eventual' && query.get('$count')?.toLowerCase() === 'true'
  if (query.has('$count') && request.headers['consistencylevel'] === undefined) {
    return refuse(400, 'Request_BadRequest', '$count is not currently supported.')
  }
  if (options.cast !== undefined && !isAdvanced) return refuse(400, 'Request_UnsupportedQuery', 'Invalid search request.')
  const top = Number(query.get('$top') ?? 100)
  if (!Number.isInteger(top) || top < 1 || top > 999) {
    const text = `Invalid page size specified: '${query.get('$top')}'. Must be between 1 and 999 inclusive.`
    return refuse(400, 'Request_UnsupportedQuery', text)
  }
  const select = parseSelect(query)
  const refusal = refuseUnknownProperty(
    select,
    { ...printUser({ userPrincipalName: '' } as EntraUser), securityEnabled: 0, deviceId: 0 },
    'user',
  )
  if (refusal !== undefined) return refusal

  const page = state.paging(request, {
    list: () => {
      const members = options.isTransitive ? state.directory.readTransitiveMembers(group) : state.directory.readMembers(group)
      return options.cast === undefined ? members : members.filter((member) => member.kind === options.cast)
    },
    pageSize: top,
  })
  if ('status' in page) return page
  const set = options.cast === undefined ? 'directoryObjects' : `${options.cast}s`
  const isLimited = isDenied(['User.Read.All', 'Directory.Read.All'], state.faults)
  return answer({
    '@odata.context': `${request.base}/$metadata#${set}${toContextSuffix(select)}`,
    ...(isAdvanced && page.isFirst ? { '@odata.count': page.total } : {}),
    ...(page.nextLink === undefined ? {} : { '@odata.nextLink': page.nextLink }),
    value: page.rows.map((member) => printLimited(member, select, { isLimited, isTyped: options.cast === undefined })),
  })
}

/** Without User.Read.All the members are still listed, but of a person only the id is shown, the rest is null. */
function printLimited(member: Member, select: string[] | undefined, options: { isLimited: boolean; isTyped: boolean }) {
  const names = select ?? (member.kind === 'user' ? defaultUserProperties : undefined)
  const printed = pickProperties(printMember(member), names)
  const isHidden = options.isLimited && member.kind === 'user'
  const shown = isHidden
    ? Object.fromEntries(Object.entries(printed).map(([name, value]) => [name, name === 'id' ? value : null]))
    : printed
  return options.isTyped ? { '@odata.type': `#microsoft.graph.${member.kind}`, ...shown } : shown
}

/** True when every permission that would do has been taken away; what was never granted cannot help. */
export function isDenied(permissions: string[], faults: GraphFaults): boolean {
  const denied = faults.deniedPermissions ?? []
  return permissions
    .filter((permission) => grantedPermissions.includes(permission))
    .every((permission) => denied.includes(permission))
}

/** What the simulated tenant's administrator has consented to: the least that the documentation asks for. */
export const grantedPermissions = [
  'DeviceManagementManagedDevices.Read.All',
  'GroupMember.Read.All',
  'User.Read.All',
  'Device.Read.All',
]

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
