import type { InformationRecord } from './command.ts'
import { isPsObject, type PsData } from './ps-data.ts'
import { ServerObject, ServerScalar } from './ps-value.ts'
import { textOf } from './text-of.ts'

const RECORD_TYPES: readonly string[] = ['System.Management.Automation.InformationRecord', 'System.Object']

/** Reads a decoded InformationRecord. Never throws: what is missing becomes ''. */
export function readInformationRecord(data: PsData): InformationRecord {
  const properties = isPsObject(data) ? data.properties : {}
  const message = properties.MessageData
  const { Tags: tags, TimeGenerated: time } = properties
  const items = isPsObject(tags) ? tags.value : tags
  return {
    text: textOf(message) || (isPsObject(data) ? (data.text ?? '') : textOf(data)),
    data: message ?? null,
    source: textOf(properties.Source),
    tags: Array.isArray(items) ? items.map(textOf) : [],
    timeGenerated: time instanceof Date ? time : undefined,
    user: textOf(properties.User),
    computer: textOf(properties.Computer),
  }
}

/** A record with only a text, as a server sends it for Write-Information. */
export function informationRecordValue(text: string): ServerObject {
  return new ServerObject({
    typeNames: RECORD_TYPES,
    text,
    members: 'extended',
    properties: {
      MessageData: text,
      Source: 'Write-Information',
      TimeGenerated: null,
      Tags: [],
      User: '',
      Computer: '',
      ProcessId: new ServerScalar('U32', '0'),
      NativeThreadId: new ServerScalar('U32', '0'),
      ManagedThreadId: new ServerScalar('U32', '0'),
    },
  })
}
