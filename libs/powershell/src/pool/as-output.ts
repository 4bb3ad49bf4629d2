import { isPsObject, type PsData, type PsObject } from '../protocol/ps-data.ts'

const NO_PROPERTIES: Readonly<Record<string, PsData>> = Object.freeze(Object.create(null))

/** One object of a cmdlet's output: a value that is no property bag becomes the `value` of one. */
export function asOutput(value: PsData): PsObject {
  return isPsObject(value) ? value : { typeNames: [], text: undefined, value, properties: NO_PROPERTIES }
}
