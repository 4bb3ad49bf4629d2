import { type PsValue, ServerObject } from './ps-value.ts'

const CUSTOM_TYPES: readonly string[] = ['System.Management.Automation.PSCustomObject', 'System.Object']

/** A PSCustomObject: properties in their order, which a Hashtable (a plain object) would not keep. */
export class PsCustomObject extends ServerObject {
  constructor(properties: Readonly<Record<string, PsValue>>) {
    super({ typeNames: CUSTOM_TYPES, properties, members: 'extended' })
  }
}
