import type { KubernetesObject } from './kubernetes-object.ts'

type SecretItem = { key: string; path: string }
type Source = { secret?: { name: string; items?: SecretItem[] } }
type Volume = {
  name: string
  configMap?: { name: string }
  projected?: { sources: Source[] }
  emptyDir?: { sizeLimit?: string }
  [other: string]: unknown
}
export type Container = {
  name: string
  args?: string[]
  ports?: { name: string; containerPort: number }[]
  livenessProbe?: object
  readinessProbe?: object
  resources?: { requests?: object; limits?: Record<string, string> }
  securityContext?: object
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
}
export type Pod = {
  owner: string
  kind: string
  namespace: string
  labels: Record<string, string>
  spec: {
    automountServiceAccountToken?: boolean
    serviceAccountName?: string
    securityContext?: object
    terminationGracePeriodSeconds?: number
    containers: Container[]
    volumes?: Volume[]
  }
}

/** The pods that these objects bring about; those of a RabbitmqCluster have no containers here, its operator makes them. */
export function podsOf(objects: readonly KubernetesObject[]): Pod[] {
  return objects.flatMap((object) => {
    const { kind, metadata, spec } = object
    const place = { owner: metadata.name, kind, namespace: metadata.namespace ?? '' }
    if (kind === 'RabbitmqCluster')
      return [{ ...place, labels: { 'app.kubernetes.io/name': metadata.name }, spec: { containers: [] } }]
    const template = spec?.['template'] as { metadata: { labels: Record<string, string> }; spec: Pod['spec'] } | undefined
    return template === undefined ? [] : [{ ...place, labels: template.metadata.labels, spec: template.spec }]
  })
}

/** Where each secret of a pod lies: `<secret>/<key>` by the path of its file. */
export function secretFilesOf(pod: Pod): Record<string, string> {
  const sources = (pod.spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? [])
  const items = sources.flatMap(({ secret }) =>
    (secret?.items ?? []).map(({ key, path }): [string, string] => [`/run/secrets/${path}`, `${secret?.name}/${key}`]),
  )
  return Object.fromEntries(items)
}

type Expression = { key: string; operator: string; values: string[] }
export type Selector = { matchLabels?: Record<string, string>; matchExpressions?: Expression[] }

/** Whether a selector takes these labels; `In` is the only operator that we use. */
export function selects(selector: Selector, labels: Record<string, string>): boolean {
  const unknown = selector.matchExpressions?.find(({ operator }) => operator !== 'In')
  if (unknown !== undefined) throw new Error(`Nobody here knows the operator ${unknown.operator}`)
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? ''))
  )
}
