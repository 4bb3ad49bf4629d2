import { join, resolve } from 'node:path'
import { createTopology, SERVICE_NAMES } from '@gatehouse/broker'
import { loadSettings } from '@gatehouse/worker'
import { describe, expect, test } from 'vitest'
import { findSchemaProblems } from './find-schema-problems.ts'
import { podsOf, type Selector, secretFilesOf, selects } from './pods.ts'
import { readKustomization } from './read-kustomization.ts'

const FOLDER = resolve(import.meta.dirname, '../../deploy/kubernetes')
/** What PostgreSQL keeps of its 100 connections for its superuser. */
const CONNECTIONS_MAX = 97

const objects = [...readKustomization(join(FOLDER, 'overlays/production')), ...readKustomization(join(FOLDER, 'rabbitmq'))]
const settings = loadSettings({ path: join(FOLDER, 'overlays/production/gatehouse.yaml'), env: {} })
const exchange = settings.organizations[0]?.exchange
const mail = settings.organizations[0]?.mail
if (exchange === undefined || mail === undefined) throw new Error('The settings have no organisation')
const pods = podsOf(objects)
const ourPods = pods.filter((pod) => pod.kind !== 'RabbitmqCluster')
const workers = ourPods.filter((pod) => pod.kind === 'Deployment')
const nameOf = (pod: { owner: string }): string => pod.owner.replace('gatehouse-', '')
const ofKind = (kind: string) => objects.filter((object) => object.kind === kind)

test('every object is what its schema says', () => {
  const problems = objects.map((object) => [`${object.kind} ${object.metadata.name}`, findSchemaProblems(object)])

  expect(problems.filter(([, found]) => found?.length !== 0)).toEqual([])
})

test('there is one deployment for each worker, and it runs that worker', () => {
  expect(workers.map(nameOf).sort()).toEqual([...SERVICE_NAMES].sort())
  for (const pod of workers) expect(pod.spec.containers.map(({ args }) => args)).toEqual([['worker', nameOf(pod)]])
})

describe.each(ourPods.map((pod) => [pod.owner, pod] as const))('the pod of %s', (_, pod) => {
  test('is restricted, and nothing in it can be written to but /tmp', () => {
    expect(pod.spec.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 10_001,
      runAsGroup: 10_001,
      fsGroup: 10_001,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    for (const container of pod.spec.containers) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(container.volumeMounts?.filter(({ readOnly }) => readOnly !== true)).toEqual([{ name: 'tmp', mountPath: '/tmp' }])
    }
  })

  test('has no token of the API of Kubernetes, and an account of its own', () => {
    expect(pod.spec.automountServiceAccountToken).toBe(false)
    const accounts = ofKind('ServiceAccount').filter(({ metadata }) => metadata.name === pod.spec.serviceAccountName)
    expect(accounts).toHaveLength(1)
    expect(accounts[0]).toHaveProperty('automountServiceAccountToken', false)
  })

  test('asks for what it needs and takes no more than its limits', () => {
    for (const { resources } of pod.spec.containers) {
      expect(Object.keys(resources?.requests ?? {}).sort()).toEqual(['cpu', 'memory'])
      expect(Object.keys(resources?.limits ?? {}).sort()).toEqual(['cpu', 'memory'])
    }
    expect(pod.spec.volumes?.find(({ name }) => name === 'tmp')?.emptyDir?.sizeLimit).toBeDefined()
  })

  test('has volumes of settings, secrets and temporary files only, and the settings are there', () => {
    expect(pod.spec.volumes?.map(({ name }) => name)).toEqual(['settings', 'secrets', 'tmp'])
    const configMap = pod.spec.volumes?.find(({ name }) => name === 'settings')?.configMap?.name
    expect(ofKind('ConfigMap').map(({ metadata }) => metadata.name)).toEqual([configMap])
    // The file and not the folder: the image has files of its own in there.
    const mount = { name: 'settings', mountPath: '/etc/gatehouse/gatehouse.yaml', subPath: 'gatehouse.yaml', readOnly: true }
    for (const { volumeMounts } of pod.spec.containers) expect(volumeMounts).toContainEqual(mount)
    expect(ofKind('ConfigMap')[0]?.data).toHaveProperty([mount.subPath])
  })
})

test('a pod holds the secrets of its own work and no others', () => {
  const files = Object.fromEntries(ourPods.map((pod) => [nameOf(pod), Object.values(secretFilesOf(pod)).sort()]))

  const own = (worker: string, ...more: string[]) => [
    `gatehouse-broker/gh-${worker}`,
    'gatehouse-database/database-url',
    ...more,
  ]
  expect(files).toEqual({
    control: own('control', 'gatehouse-api/api-token').sort(),
    discovery: own('discovery', 'gatehouse-exchange/exchange-password'),
    'compliance-lookup': own('compliance-lookup', 'gatehouse-graph/graph-client-secret'),
    enforcement: own('enforcement', 'gatehouse-exchange/exchange-password'),
    notification: own('notification', 'gatehouse-mail/mail-password'),
    migrate: ['gatehouse-database/database-url'],
    topology: [...SERVICE_NAMES.map((service) => `gatehouse-broker/gh-${service}`), 'gatehouse-broker-admin/password'].sort(),
  })
})

test('the secrets lie where the settings look for them', () => {
  const { database, broker, graph, control } = settings
  const wanted = [database.urlFile, broker.adminPasswordFile, graph.clientSecretFile, control.tokenFile]
  const ofWorkers = SERVICE_NAMES.map((service) => `${broker.usersPasswordDirectory}/${broker.userPrefix}${service}`)
  const mounted = new Set(ourPods.flatMap((pod) => Object.keys(secretFilesOf(pod))))

  expect([...mounted].sort()).toEqual([...wanted, exchange.passwordFile, mail.passwordFile, ...ofWorkers].sort())
})

test('the ports and the files of the settings are those of the pods', () => {
  for (const { spec } of workers) {
    const ports = Object.fromEntries(spec.containers[0]?.ports?.map(({ name, containerPort }) => [name, containerPort]) ?? [])
    expect(ports['health']).toBe(settings.worker.healthPort)
    expect(spec.containers[0]).toHaveProperty('readinessProbe.httpGet', { path: '/readyz', port: 'health' })
    expect(spec.containers[0]).toHaveProperty('livenessProbe.httpGet', { path: '/healthz', port: 'health' })
    if ('api' in ports) expect(ports['api']).toBe(settings.control.port)
  }
  expect(settings.worker.healthHost).toBe('0.0.0.0')
  expect(settings.control.host).toBe('0.0.0.0')
})

test('a worker gets more time to stop than it takes for itself, and one that calls Exchange a cmdlet more', () => {
  expect(settings.worker.shutdownSeconds).toBeGreaterThan(exchange.cmdletTimeoutSeconds)
  for (const pod of workers) {
    const callsExchange = ['discovery', 'enforcement'].includes(nameOf(pod))
    const least = settings.worker.shutdownSeconds + (callsExchange ? exchange.cmdletTimeoutSeconds : 0)
    expect(pod.spec.terminationGracePeriodSeconds, pod.owner).toBeGreaterThan(least)
  }
})

test('every disruption budget is for pods that exist, and lets one of them go', () => {
  for (const { metadata, spec } of ofKind('PodDisruptionBudget')) {
    const chosen = pods.filter(
      (pod) => pod.namespace === metadata.namespace && selects(spec?.['selector'] as Selector, pod.labels),
    )
    expect(chosen.map(({ owner }) => owner)).toEqual([metadata.name])
    expect(spec).toHaveProperty('maxUnavailable', 1)
  }
  expect(ofKind('PodDisruptionBudget')).toHaveLength(workers.length + 1)
})

test('each pod may be reached and may reach others only as its own network policies say', () => {
  const found = pods.map((pod) => {
    const policies = ofKind('NetworkPolicy').filter(
      ({ metadata, spec }) => metadata.namespace === pod.namespace && selects(spec?.['podSelector'] as Selector, pod.labels),
    )
    return [nameOf(pod), policies.map(({ metadata }) => metadata.name)]
  })

  const forAll = ['default-deny', 'names']
  expect(Object.fromEntries(found)).toEqual({
    control: [...forAll, 'database', 'broker', 'api', 'metrics'],
    discovery: [...forAll, 'database', 'broker', 'exchange', 'metrics'],
    'compliance-lookup': [...forAll, 'database', 'broker', 'microsoft', 'metrics'],
    enforcement: [...forAll, 'database', 'broker', 'exchange', 'metrics'],
    notification: [...forAll, 'database', 'broker', 'exchange', 'metrics'],
    migrate: [...forAll, 'database'],
    topology: [...forAll, 'broker-management'],
    rabbitmq: ['default-deny', 'rabbitmq'],
  })
})

test('a policy that denies by default allows nothing', () => {
  for (const { metadata, spec } of ofKind('NetworkPolicy').filter(({ metadata }) => metadata.name === 'default-deny')) {
    expect(spec, metadata.namespace).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
  }
})

test('every network policy is for pods that exist', () => {
  for (const { metadata, spec } of ofKind('NetworkPolicy')) {
    const chosen = pods.filter(
      (pod) => pod.namespace === metadata.namespace && selects(spec?.['podSelector'] as Selector, pod.labels),
    )
    expect(chosen.length, `${metadata.namespace}/${metadata.name}`).toBeGreaterThan(0)
  }
})

test('the broker has three nodes and gives up waiting for a confirm of a dead letter after ten seconds', () => {
  expect(ofKind('RabbitmqCluster')).toHaveLength(1)
  expect(ofKind('RabbitmqCluster')[0]).toMatchObject({
    spec: {
      replicas: 3,
      rabbitmq: { advancedConfig: '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].\n' },
    },
  })
})

describe('scaling', () => {
  type Trigger = { metadata: { queueName: string; protocol: string } }
  type Scaling = { scaleTargetRef: { name: string }; minReplicaCount: number; maxReplicaCount: number; triggers: Trigger[] }
  const scalings = ofKind('ScaledObject').map(({ spec }) => spec as unknown as Scaling)
  const copiesOf = (service: string): number | undefined =>
    scalings.find(({ scaleTargetRef }) => scaleTargetRef.name === `gatehouse-${service}`)?.maxReplicaCount

  test('counts every queue that the worker takes from, and they exist', () => {
    const queues = createTopology().queues.map(({ name }) => name)

    for (const { scaleTargetRef, triggers } of scalings) {
      const name = nameOf({ owner: scaleTargetRef.name })
      const wanted = queues.filter((queue) => new RegExp(`^gh\\.${name}(\\.urgent)?(\\.due)?$`).test(queue))
      expect(wanted).toHaveLength(4)
      expect(triggers.map(({ metadata }) => metadata.queueName).sort()).toEqual(wanted.sort())
      // What is in hand counts too, which only the management API tells.
      expect(new Set(triggers.map(({ metadata }) => metadata.protocol))).toEqual(new Set(['http']))
    }
  })

  test('is for deployments that do not fix their number, and never ends the last copy', () => {
    for (const { scaleTargetRef, minReplicaCount } of scalings) {
      const deployment = ofKind('Deployment').find(({ metadata }) => metadata.name === scaleTargetRef.name)
      expect(deployment?.spec).toBeDefined()
      expect(deployment?.spec).not.toHaveProperty('replicas')
      expect(minReplicaCount).toBeGreaterThanOrEqual(1)
    }
  })

  test('starts no more copies of enforcement than the shells of the account feed', () => {
    expect(copiesOf('enforcement')).toBe(Math.ceil(exchange.shellsPerAccountMax / exchange.runspacesMax))
  })

  test('starts no more copies of notification than the rate of mails feeds, and one for a copy that stands still', () => {
    expect(copiesOf('notification')).toBe(Math.ceil(mail.messagesPerMinute / (mail.concurrency * 60)) + 1)
  })

  test('starts no more copies of discovery than organisations, and one for a copy that stands still', () => {
    expect(copiesOf('discovery')).toBe(settings.organizations.length + 1)
  })

  test('starts no more copies than PostgreSQL has connections for', () => {
    const fixed = ofKind('Deployment').map(({ spec }) => Number(spec?.['replicas'] ?? 0))
    const copies = [...fixed, ...scalings.map(({ maxReplicaCount }) => maxReplicaCount)].reduce((sum, one) => sum + one, 0)

    expect(copies * settings.database.connectionsMax).toBeLessThanOrEqual(CONNECTIONS_MAX)
  })
})
