import { escapeXml } from '../escape-xml.ts'
import { ERRORS, MESSAGES, SOAP_11, TYPES } from './ews-namespaces.ts'

/** A refusal of the whole request: a SOAP fault with HTTP 500. Values go into MessageXml. */
export type EwsFault = { code: string; message: string; values?: Record<string, string | number> }

export const schemaFault = (violation: string): EwsFault => ({
  code: 'ErrorSchemaValidation',
  message: `The request failed schema validation: ${violation}`,
})

/** In faults MessageXml is of the types namespace, in answers of the messages namespace. */
export function writeEwsFault(fault: EwsFault): string {
  const values = Object.entries(fault.values ?? {}).map(([name, value]) => `<t:Value Name="${name}">${value}</t:Value>`)
  const messageXml = values.length === 0 ? '' : `<t:MessageXml xmlns:t="${TYPES}">${values.join('')}</t:MessageXml>`
  const message = escapeXml(fault.message)
  return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="${SOAP_11}"><s:Body><s:Fault><faultcode xmlns:a="${TYPES}">a:${fault.code}</faultcode><faultstring xml:lang="en-US">${message}</faultstring><detail><e:ResponseCode xmlns:e="${ERRORS}">${fault.code}</e:ResponseCode><e:Message xmlns:e="${ERRORS}">${message}</e:Message>${messageXml}</detail></s:Fault></s:Body></s:Envelope>`
}

export function writeEwsResponse(operation: string, messages: string): string {
  const version = `<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1544" MinorBuildNumber="4" Version="V2017_07_11" xmlns:h="${TYPES}"/>`
  return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="${SOAP_11}"><s:Header>${version}</s:Header><s:Body><m:${operation}Response xmlns:m="${MESSAGES}" xmlns:t="${TYPES}"><m:ResponseMessages>${messages}</m:ResponseMessages></m:${operation}Response></s:Body></s:Envelope>`
}

/** HTTP 200 and an error: the common way in which one item fails. */
export function writeErrorMessage(operation: string, code: string, text: string): string {
  return `<m:${operation}ResponseMessage ResponseClass="Error"><m:MessageText>${escapeXml(text)}</m:MessageText><m:ResponseCode>${code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey></m:${operation}ResponseMessage>`
}
