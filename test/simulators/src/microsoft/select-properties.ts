import { type GraphAnswer, refuse } from './graph-answer.ts'

/** The names of $select; undefined when there is none. */
export function parseSelect(query: URLSearchParams): string[] | undefined {
  const names = (query.get('$select') ?? '').split(',').map((name) => name.trim())
  return names.some((name) => name !== '') ? names.filter((name) => name !== '') : undefined
}

export function refuseUnknownProperty(select: string[] | undefined, known: object, type: string): GraphAnswer | undefined {
  const unknown = select?.find((name) => !(name in known))
  if (unknown === undefined) return undefined
  const text = `Parsing OData Select and Expand failed: Could not find a property named '${unknown}' on type 'microsoft.graph.${type}'.`
  return refuse(400, 'BadRequest', text)
}

export function pickProperties(full: Record<string, unknown>, select: string[] | undefined): Record<string, unknown> {
  if (select === undefined) return full
  return Object.fromEntries(select.map((name) => [name, full[name] ?? null]))
}

/** `(id,displayName)` behind the entity set of @odata.context. */
export function toContextSuffix(select: string[] | undefined): string {
  return select === undefined ? '' : `(${select.join(',')})`
}
