import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { type KubernetesObject, parseObjects } from '../kubernetes-object.ts'
import { readKustomization } from '../read-kustomization.ts'

const FOLDER = resolve(import.meta.dirname, '../../../deploy/kubernetes')
const TIMEOUT_MS = 30_000

function runKubectl(...args: string[]): string | undefined {
  try {
    return execFileSync('kubectl', args, { encoding: 'utf8', timeout: TIMEOUT_MS, stdio: ['ignore', 'pipe', 'inherit'] })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** In one order, and without the hash at the end of a generated name. */
function comparable(objects: KubernetesObject[]): unknown[] {
  const text = JSON.stringify(objects).replace(/"gatehouse-settings-[a-z0-9]{10}"/g, '"gatehouse-settings"')
  const keyOf = ({ kind, metadata }: KubernetesObject): string => `${kind} ${metadata.namespace} ${metadata.name}`
  return (JSON.parse(text) as KubernetesObject[]).sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
}

const hasKubectl = runKubectl('version', '--client') !== undefined

test.skipIf(!hasKubectl).each(['overlays/production', 'rabbitmq'])(
  'kubectl makes of %s what the other tests look at',
  (name) => {
    const made = parseObjects(runKubectl('kustomize', join(FOLDER, name)) ?? '')

    expect(comparable(made)).toEqual(comparable(readKustomization(join(FOLDER, name))))
  },
)
