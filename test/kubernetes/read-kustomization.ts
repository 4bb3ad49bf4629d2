import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { applyPatch, type Operation } from 'rfc6902'
import { parse } from 'yaml'
import { type KubernetesObject, parseObjects } from './kubernetes-object.ts'

type Image = { name: string; newName: string; newTag: string }
type Patch = { target: { kind: string; name: string }; patch: string }
type Generator = { name: string; files: string[] }
type Kustomization = {
  namespace?: string
  resources: string[]
  configMapGenerator?: Generator[]
  images?: Image[]
  patches?: Patch[]
}

const KEYS = ['apiVersion', 'kind', 'namespace', 'resources', 'configMapGenerator', 'images', 'patches']

/**
 * What `kubectl kustomize` makes of a folder, for machines without it: as much of it as our folders use, anything else is
 * refused. Names of generated objects lack the hash. That it is the same is tested where there is a kubectl.
 */
export function readKustomization(folder: string): KubernetesObject[] {
  const kustomization = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as Kustomization
  const unknown = Object.keys(kustomization).filter((key) => !KEYS.includes(key))
  if (unknown.length > 0) throw new Error(`${folder}: nobody here knows what kustomize does with ${unknown.join(', ')}`)
  const objects = [
    ...kustomization.resources.flatMap((resource) => readResource(join(folder, resource))),
    ...(kustomization.configMapGenerator ?? []).map((generator) => generateConfigMap(folder, generator)),
  ]
  for (const object of objects) {
    if (kustomization.namespace !== undefined && object.kind !== 'Namespace')
      object.metadata.namespace = kustomization.namespace
    for (const image of kustomization.images ?? []) replaceImage(object, image)
  }
  for (const patch of kustomization.patches ?? []) patchObject(objects, patch)
  return objects
}

function readResource(path: string): KubernetesObject[] {
  return statSync(path).isDirectory() ? readKustomization(path) : parseObjects(readFileSync(path, 'utf8'))
}

function generateConfigMap(folder: string, { name, files }: Generator): KubernetesObject {
  const data = Object.fromEntries(files.map((file) => [basename(file), readFileSync(join(folder, file), 'utf8')]))
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

function replaceImage(value: unknown, image: Image): void {
  if (typeof value !== 'object' || value === null) return
  for (const inner of Object.values(value)) replaceImage(inner, image)
  if ('image' in value && value.image === image.name) value.image = `${image.newName}:${image.newTag}`
}

function patchObject(objects: KubernetesObject[], { target, patch }: Patch): void {
  const found = objects.filter((object) => object.kind === target.kind && object.metadata.name === target.name)
  if (found.length === 0) throw new Error(`A patch is for ${target.kind} ${target.name}, which is not there`)
  for (const object of found) {
    const error = applyPatch(object, parse(patch) as Operation[]).find((result) => result !== null)
    if (error !== undefined) throw error
  }
}
