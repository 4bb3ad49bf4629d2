import * as keda from '@kubernetes-models/keda/keda.sh/v1alpha1'
import * as monitoring from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import * as apps from 'kubernetes-models/apps/v1'
import * as batch from 'kubernetes-models/batch/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import type { KubernetesObject } from './kubernetes-object.ts'
import { listRabbitmqClusterProblems } from './list-rabbitmq-cluster-problems.ts'
import { watchReads } from './watch-reads.ts'

type Model = { prototype: { validate(): void } }

const MODELS: Record<string, object> = {
  v1: core,
  'apps/v1': apps,
  'batch/v1': batch,
  'policy/v1': policy,
  'networking.k8s.io/v1': networking,
  'keda.sh/v1alpha1': keda,
  'monitoring.coreos.com/v1': monitoring,
}

/**
 * What Kubernetes, KEDA, the Prometheus Operator or the RabbitMQ Cluster Operator would refuse or pass over in an object:
 * values that break its schema, and fields that no schema knows, such as those with a typing error.
 */
export function findSchemaProblems(object: KubernetesObject): string[] {
  if (object.kind === 'RabbitmqCluster') return listRabbitmqClusterProblems(object, findSchemaProblems)
  const model = (MODELS[object.apiVersion] as Record<string, Model> | undefined)?.[object.kind]
  if (model === undefined) return [`${object.apiVersion} ${object.kind}: no schema`]
  // The compiled schemas pass over fields that they do not know: what they never read is such a field.
  const { watched, listUnread } = watchReads(object)
  try {
    model.prototype.validate.call(watched)
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
  return listUnread().map((path) => `${path}: unknown field`)
}
