import { z } from 'zod'
import type { KubernetesObject } from './kubernetes-object.ts'

/** The fields that we use; all fields: api/v1beta1/rabbitmqcluster_types.go of rabbitmq/cluster-operator (2.x). */
const RabbitmqCluster = z.strictObject({
  apiVersion: z.literal('rabbitmq.com/v1beta1'),
  kind: z.literal('RabbitmqCluster'),
  metadata: z.strictObject({ name: z.string(), namespace: z.string().optional() }),
  spec: z.strictObject({
    replicas: z.int().min(0),
    image: z.string(),
    persistence: z.strictObject({ storageClassName: z.string().optional(), storage: z.string() }),
    resources: z.looseObject({}),
    affinity: z.looseObject({}),
    rabbitmq: z.strictObject({
      additionalPlugins: z.array(z.string().regex(/^\w+$/).max(100)).max(100).optional(),
      additionalConfig: z.string().max(2_000),
      advancedConfig: z.string().max(100_000),
    }),
  }),
})

/** What the operator would refuse or pass over; its parts that are a pod's are looked at as a pod's. */
export function listRabbitmqClusterProblems(
  object: KubernetesObject,
  findProblems: (object: KubernetesObject) => string[],
): string[] {
  const parsed = RabbitmqCluster.safeParse(object)
  if (!parsed.success) return parsed.error.issues.map((issue) => `/${issue.path.join('/')}: ${issue.message}`)
  const { affinity, resources } = parsed.data.spec
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'rabbitmq' } }
  return findProblems({ ...pod, spec: { affinity, containers: [{ name: 'rabbitmq', resources }] } })
}
