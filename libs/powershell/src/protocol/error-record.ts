import type { ErrorRecord } from './command.ts'
import { ERROR_CATEGORIES } from './error-categories.ts'
import { isPsObject, type PsData, type PsObject } from './ps-data.ts'
import { ServerObject } from './ps-value.ts'
import { textOf } from './text-of.ts'

const RECORD_TYPES: readonly string[] = ['System.Management.Automation.ErrorRecord', 'System.Object']
const TEXT_MAX = 16_000

/**
 * Reads a decoded ErrorRecord ([MS-PSRP] 2.2.3.15). Never throws: what is missing becomes an empty string, for an error
 * must not hide behind another one. `exceptionType` is the type's name as the server knows it, without `Deserialized.`.
 */
export function readErrorRecord(data: PsData): ErrorRecord {
  if (!isPsObject(data))
    return { message: cut(textOf(data)), fullyQualifiedErrorId: '', category: 'NotSpecified', exceptionType: '' }
  const { properties } = data
  const exception = properties.Exception
  const details = textOf(properties.ErrorDetails_Message)
  const target = properties.TargetObject
  const targetText = textOf(target) || textOf(properties.ErrorCategory_TargetName)
  const record = {
    message: cut(details || messageOf(exception) || (data.text ?? '')),
    fullyQualifiedErrorId: cut(textOf(properties.FullyQualifiedErrorId)),
    category: ERROR_CATEGORIES[Number(properties.ErrorCategory_Category ?? 0)] ?? 'NotSpecified',
    exceptionType: typeOf(exception) || cut(textOf(properties.ErrorCategory_Reason)),
  }
  return targetText === '' ? record : { ...record, targetText: cut(targetText) }
}

/** The record as a server sends it; the reverse of `readErrorRecord`. */
export function errorRecordValue(record: ErrorRecord): ServerObject {
  const category = Math.max(0, ERROR_CATEGORIES.indexOf(record.category))
  const shortType = record.exceptionType.slice(record.exceptionType.lastIndexOf('.') + 1)
  return new ServerObject({
    typeNames: RECORD_TYPES,
    text: record.message,
    members: 'extended',
    properties: {
      Exception: new ServerObject({
        typeNames: [record.exceptionType, 'System.Exception', 'System.Object'],
        text: `${record.exceptionType}: ${record.message}`,
        properties: { Message: record.message, InnerException: null, HelpLink: null, Source: null, HResult: -2146233088 },
      }),
      TargetObject: record.targetText ?? null,
      FullyQualifiedErrorId: record.fullyQualifiedErrorId,
      InvocationInfo: null,
      ErrorCategory_Category: category,
      ErrorCategory_Activity: '',
      ErrorCategory_Reason: shortType,
      ErrorCategory_TargetName: record.targetText ?? '',
      ErrorCategory_TargetType: record.targetText === undefined ? '' : 'String',
      ErrorCategory_Message: `${ERROR_CATEGORIES[category]}: (${record.targetText ?? ''}:) [], ${shortType}`,
      SerializeExtendedInfo: false,
      ErrorDetails_ScriptStackTrace: null,
    },
  })
}

function messageOf(exception: PsData | undefined): string {
  if (!isPsObject(exception)) return ''
  return textOf(exception.properties.Message) || (exception.text ?? '')
}

function typeOf(exception: PsData | undefined): string {
  if (!isPsObject(exception)) return ''
  return (exception as PsObject).typeNames[0]?.replace(/^Deserialized\./, '') ?? ''
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text
}
