export const SOAP = 'http://www.w3.org/2003/05/soap-envelope'
export const ADDRESSING = 'http://schemas.xmlsoap.org/ws/2004/08/addressing'
export const WSMAN = 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd'
export const WSMV = 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd'
export const SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell'
export const TRANSFER = 'http://schemas.xmlsoap.org/ws/2004/09/transfer'
export const POWERSHELL = 'http://schemas.microsoft.com/powershell'
export const ANONYMOUS = 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous'
export const EXCHANGE_RESOURCE = `${POWERSHELL}/Microsoft.Exchange`

export const ACTIONS = {
  create: `${TRANSFER}/Create`,
  delete: `${TRANSFER}/Delete`,
  command: `${SHELL}/Command`,
  send: `${SHELL}/Send`,
  receive: `${SHELL}/Receive`,
  signal: `${SHELL}/Signal`,
} as const

export type WsmanVerb = keyof typeof ACTIONS
