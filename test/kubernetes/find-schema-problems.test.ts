import { expect, test } from 'vitest'
import { findSchemaProblems } from './find-schema-problems.ts'
import type { KubernetesObject } from './kubernetes-object.ts'

const container = { name: 'one', image: 'one', securityContext: { readOnlyRootFilesystem: true } }

function podOf(change: object): KubernetesObject {
  const spec = { containers: [{ ...container, ...change }] }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one', labels: { any: 'label' } }, spec }
}

test('an object that Kubernetes takes has no problems', () => {
  expect(findSchemaProblems(podOf({}))).toEqual([])
})

test('a value of another type than the schema wants is a problem', () => {
  expect(findSchemaProblems(podOf({ ports: [{ containerPort: 'http' }] }))).toEqual([
    'data/spec/containers/0/ports/0/containerPort must be integer',
  ])
})

test('a field with a typing error, which Kubernetes passes over, is a problem', () => {
  expect(findSchemaProblems(podOf({ securityContext: { readOnlyRootFileSystem: true } }))).toEqual([
    '/spec/containers/0/securityContext/readOnlyRootFileSystem: unknown field',
  ])
})

test('a kind without a schema is a problem', () => {
  expect(findSchemaProblems({ ...podOf({}), kind: 'Prod' })).toEqual(['v1 Prod: no schema'])
})

test('a field of a RabbitmqCluster that its operator does not know, or a broken part of a pod, is a problem', () => {
  const spec = {
    replicas: 3,
    image: 'rabbitmq',
    persistence: { storage: '1Gi' },
    resources: {},
    affinity: {},
    rabbitmq: { additionalConfig: '', advancedConfig: '' },
  }
  const cluster = { apiVersion: 'rabbitmq.com/v1beta1', kind: 'RabbitmqCluster', metadata: { name: 'one' } }

  expect(findSchemaProblems({ ...cluster, spec })).toEqual([])
  expect(findSchemaProblems({ ...cluster, spec: { ...spec, replica: 3 } })).toEqual(['/spec: Unrecognized key: "replica"'])
  expect(findSchemaProblems({ ...cluster, spec: { ...spec, affinity: { podAntiAfinity: {} } } })).toEqual([
    '/spec/affinity/podAntiAfinity: unknown field',
  ])
})
