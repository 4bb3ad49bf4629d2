import type { XmlElement } from '../read-xml.ts'

/** Allowed children in the order the schema wants, of one namespace. `many` may repeat; `required` must be there. */
export type Sequence = {
  namespace: string
  names: readonly string[]
  many?: readonly string[]
  required?: readonly string[]
  /** Text may stand between the children (it may not, elsewhere). */
}

/** What is wrong with the children, in the validator's words; undefined when nothing is. */
export function checkSequence(parent: XmlElement, sequence: Sequence): string | undefined {
  let position = 0
  for (const child of parent.children) {
    const found = sequence.names.indexOf(child.name, position)
    if (child.namespace !== sequence.namespace || found < 0) return invalidChild(parent, child, sequence.names.slice(position))
    position = sequence.many?.includes(child.name) === true ? found : found + 1
  }
  const missing = sequence.required?.find((name) => !parent.children.some((child) => child.name === name))
  if (missing !== undefined) {
    return `The element '${parent.name}' in namespace '${parent.namespace}' has incomplete content. List of possible elements expected: '${missing}' in namespace '${sequence.namespace}'.`
  }
  if (parent.children.length > 0 && parent.text.trim() !== '') {
    return `The element '${parent.name}' in namespace '${parent.namespace}' cannot contain text.`
  }
  return undefined
}

export function checkAttribute(element: XmlElement, name: string, allowed?: readonly string[]): string | undefined {
  const value = element.attributes[name]
  if (value === undefined) return `The required attribute '${name}' is missing.`
  if (allowed !== undefined && !allowed.includes(value)) {
    return `The '${name}' attribute is invalid - The value '${value}' is invalid according to its datatype - The Enumeration constraint failed.`
  }
  return undefined
}

export function invalidChild(parent: XmlElement, child: XmlElement, expected: readonly string[]): string {
  const list = expected.slice(0, 12).join(', ')
  return `The element '${parent.name}' in namespace '${parent.namespace}' has invalid child element '${child.name}' in namespace '${child.namespace}'. List of possible elements expected: '${list}'.`
}
