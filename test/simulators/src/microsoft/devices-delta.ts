import type { EntraDevice } from '../population/population.ts'
import { answer, type GraphAnswer, type GraphRequest, refuse } from './graph-answer.ts'
import type { Paging } from './paging.ts'
import { printDevice } from './print-directory-object.ts'
import { parseSelect, pickProperties, refuseUnknownProperty } from './select-properties.ts'

const pageSize = 200

export type DevicesDelta = ReturnType<typeof createDevicesDelta>

/** GET /devices/delta: a log of changed devices, and links that remember how much of it a client has seen. */
export function createDevicesDelta(devices: readonly EntraDevice[], paging: Paging) {
  const changed: EntraDevice[] = []
  const links = new Map<string, { at: number; select: string[] | undefined }>()
  let serial = 0

  function toDeltaLink(request: GraphRequest, select: string[] | undefined, at: number): string {
    serial += 1
    const token = Buffer.from(`þ|delta|${serial}|ÿ`).toString('base64')
    links.set(token, { at, select })
    return `${request.base}/devices/delta?$deltatoken=${encodeURIComponent(token)}`
  }

  function print(device: EntraDevice, select: string[] | undefined): Record<string, unknown> {
    return { ...pickProperties(printDevice(device), select), id: device.id }
  }

  return {
    note(device: EntraDevice): void {
      changed.push(device)
    },
    expireLinks(): void {
      links.clear()
    },
    read(request: GraphRequest): GraphAnswer {
      const context = `${request.base}/$metadata#devices/delta`
      const token = request.query.get('$deltatoken')
      if (token === null || token === 'latest') {
        const select = parseSelect(request.query)
        const refusal = refuseUnknownProperty(select, printDevice({} as EntraDevice), 'device')
        if (refusal !== undefined) return refusal
        if (token === 'latest') {
          return answer({
            '@odata.context': context,
            '@odata.deltaLink': toDeltaLink(request, select, changed.length),
            value: [],
          })
        }
        const page = paging(request, { list: () => [...devices], pageSize })
        if ('status' in page) return page
        const link =
          page.nextLink === undefined
            ? { '@odata.deltaLink': toDeltaLink(request, select, changed.length) }
            : { '@odata.nextLink': page.nextLink }
        return answer({ '@odata.context': context, ...link, value: page.rows.map((device) => print(device, select)) })
      }
      const link = links.get(token)
      if (link === undefined) {
        return refuse(410, 'SyncStateNotFound', 'The sync state generation is not found; please perform a full sync.', {
          location: `${request.base}/devices/delta?$deltatoken=`,
        })
      }
      const value = [...new Set(changed.slice(link.at))].map((device) => print(device, link.select))
      return answer({ '@odata.context': context, '@odata.deltaLink': toDeltaLink(request, link.select, changed.length), value })
    },
  }
}
