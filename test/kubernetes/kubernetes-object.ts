import { parseAllDocuments } from 'yaml'

/** What is looked at of a manifest; anything else is the schema's business. */
export type KubernetesObject = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  data?: Record<string, string>
  spec?: Record<string, unknown>
}

/** The objects of a file or of the output of kustomize. */
export function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0]
    return document.toJS() as KubernetesObject
  })
}
