import { isPsObject, type PsData } from './ps-data.ts'
import { ServerObject } from './ps-value.ts'
import { textOf } from './text-of.ts'

const typesOf = (name: string): readonly string[] => [
  `System.Management.Automation.${name}`,
  'System.Management.Automation.InformationalRecord',
  'System.Object',
]
const TYPES = { warning: typesOf('WarningRecord'), verbose: typesOf('VerboseRecord'), debug: typesOf('DebugRecord') }

export type InformationalStream = keyof typeof TYPES

/** The text of a decoded WarningRecord, VerboseRecord or DebugRecord ([MS-PSRP] 2.2.3.16). Never throws. */
export function readInformationalRecord(data: PsData): string {
  const text = isPsObject(data) ? data.properties.InformationalRecord_Message : undefined
  return typeof text === 'string' ? text : textOf(data)
}

/** The record as a server sends it; the reverse of `readInformationalRecord`. */
export function informationalRecordValue(stream: InformationalStream, text: string): ServerObject {
  return new ServerObject({
    typeNames: TYPES[stream],
    text,
    members: 'extended',
    properties: { InformationalRecord_Message: text, InformationalRecord_SerializeInvocationInfo: false },
  })
}
