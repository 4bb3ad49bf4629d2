import type { ProgressRecord } from './command.ts'
import { isPsObject, type PsData } from './ps-data.ts'
import { ServerObject } from './ps-value.ts'
import { textOf } from './text-of.ts'

const TYPE_NAMES: readonly string[] = [
  'System.Management.Automation.ProgressRecordType',
  'System.Enum',
  'System.ValueType',
  'System.Object',
]
const NO_TYPES: readonly string[] = []
const COMPLETED = 1

/** Reads a decoded ProgressRecord. Never throws: what is missing becomes '' or -1. */
export function readProgressRecord(data: PsData): ProgressRecord {
  const properties = isPsObject(data) ? data.properties : {}
  const type = properties.Type
  return {
    activity: textOf(properties.Activity),
    activityId: numberOf(properties.ActivityId),
    parentActivityId: numberOf(properties.ParentActivityId),
    status: textOf(properties.StatusDescription),
    currentOperation: textOf(properties.CurrentOperation),
    percentComplete: numberOf(properties.PercentComplete),
    secondsRemaining: numberOf(properties.SecondsRemaining),
    isCompleted: textOf(type) === 'Completed' || (isPsObject(type) && type.value === COMPLETED),
  }
}

/** The record as a server sends it; the reverse of `readProgressRecord`. */
export function progressRecordValue(record: ProgressRecord): ServerObject {
  const type = record.isCompleted ? 'Completed' : 'Processing'
  return new ServerObject({
    typeNames: NO_TYPES,
    members: 'extended',
    properties: {
      Activity: record.activity,
      ActivityId: record.activityId,
      StatusDescription: record.status,
      CurrentOperation: record.currentOperation === '' ? null : record.currentOperation,
      ParentActivityId: record.parentActivityId,
      PercentComplete: record.percentComplete,
      Type: new ServerObject({ typeNames: TYPE_NAMES, text: type, value: record.isCompleted ? COMPLETED : 0 }),
      SecondsRemaining: record.secondsRemaining,
    },
  })
}

function numberOf(data: PsData | undefined): number {
  return typeof data === 'number' ? data : -1
}
