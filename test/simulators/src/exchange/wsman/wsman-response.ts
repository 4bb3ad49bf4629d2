import { randomUUID } from 'node:crypto'
import { timeStamp } from '../cmdlets/error-records.ts'
import { escapeXml } from '../escape-xml.ts'
import type { WsmanFault } from './wsman-fault.ts'
import { ADDRESSING, ANONYMOUS, SHELL, SOAP, TRANSFER, WSMAN, WSMV } from './wsman-namespaces.ts'

const OPENING = `<s:Envelope xml:lang="en-US" xmlns:s="${SOAP}" xmlns:a="${ADDRESSING}" xmlns:x="${TRANSFER}" xmlns:w="${WSMAN}" xmlns:rsp="${SHELL}" xmlns:p="${WSMV}">`
const FAULT_ACTION = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault'

export function writeWsmanResponse(action: string, relatesTo: string, body: string): string {
  const header = `<s:Header><a:Action>${action}</a:Action><a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID><a:To>${ANONYMOUS}</a:To><a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo></s:Header>`
  return `${OPENING}${header}<s:Body>${body}</s:Body></s:Envelope>`
}

export function writeWsmanFault(fault: WsmanFault, relatesTo: string, server: { name: string; fqdn: string }): string {
  const prefix =
    fault.category === undefined
      ? ''
      : `[ClientAccessServer=${server.name},BackEndServer=${server.fqdn},RequestId=${randomUUID()},TimeStamp=${timeStamp()}] [FailureCategory=${fault.category}] `
  const text = escapeXml(`${prefix}${fault.message}`)
  const subcode = fault.subcode === '' ? '' : `<s:Subcode><s:Value>${fault.subcode}</s:Value></s:Subcode>`
  const detail = `<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="${fault.code}" Machine="${server.fqdn}"><f:Message>${text} </f:Message></f:WSManFault>`
  const body = `<s:Fault><s:Code><s:Value>s:${fault.side}</s:Value>${subcode}</s:Code><s:Reason><s:Text xml:lang="en-US">${text} </s:Text></s:Reason><s:Detail>${detail}</s:Detail></s:Fault>`
  return writeWsmanResponse(FAULT_ACTION, relatesTo, body)
}
