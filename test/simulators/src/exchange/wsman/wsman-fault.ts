/** What is refused and how it is said. Codes and texts: wsmerror.h; the plug-in's own: PowerShell's WSManPluginErrorCodes. */
export type WsmanFault = {
  code: number
  /** Sender or Receiver. */
  side: 'Sender' | 'Receiver' | 'MustUnderstand' | 'VersionMismatch'
  subcode: string
  /** As Exchange's front end files it; it then stands in front of the text. */
  category: string | undefined
  message: string
  /** Counted under this name. */
  reason: string
}

type Row = Omit<WsmanFault, 'message' | 'reason'> & { message: (detail: string) => string }

const sender = (code: number, subcode: string, category: string | undefined, message: Row['message']): Row => ({
  code,
  side: 'Sender',
  subcode,
  category,
  message,
})
const receiver = (code: number, subcode: string, category: string | undefined, message: Row['message']): Row => ({
  ...sender(code, subcode, category, message),
  side: 'Receiver',
})

const ROWS = {
  'operation-timed-out': receiver(
    2150858793,
    'w:TimedOut',
    undefined,
    () => 'The WS-Management service cannot complete the operation within the time specified in OperationTimeout.',
  ),
  'shell-not-found': sender(
    2150858843,
    'w:InvalidSelectors',
    'WSMan-InvalidShellID',
    (shell) =>
      `The request for the Windows Remote Shell with ShellId ${shell} failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation.`,
  ),
  'too-many-shells': receiver(
    2150859173,
    'w:QuotaLimit',
    'WSMan-QuotaExceeded',
    (limit) =>
      `The WS-Management service cannot process the request. This user is allowed a maximum number of ${limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.`,
  ),
  'too-many-commands': receiver(
    2150859241,
    'w:QuotaLimit',
    'WSMan-QuotaExceeded',
    () =>
      'The WS-Management service cannot process the request. The maximum number of concurrent commands per shell has been exceeded. Retry the request later or raise the Maximum Commands per Shell quota.',
  ),
  'command-not-found': receiver(
    2152991677,
    'w:InternalError',
    'WSMan-Others',
    (command) => `The command context supplied is invalid: there is no command with CommandId ${command} in this shell.`,
  ),
  'operation-aborted': receiver(
    995,
    'w:InternalError',
    undefined,
    () => 'The I/O operation has been aborted because of either a thread exit or an application request.',
  ),
  'resource-uri-unknown': sender(
    2150858811,
    'w:InvalidResourceURI',
    undefined,
    () =>
      'The WS-Management service cannot process the request. The resource URI is missing or it has an incorrect format. Check the documentation or use the following command for information on how to construct a resource URI: "winrm help uris".',
  ),
  'action-not-supported': sender(
    2150858771,
    'a:ActionNotSupported',
    undefined,
    () => 'The WS-Management service does not support the action specified in the request.',
  ),
  'header-required': sender(
    2150858769,
    'a:MessageInformationHeaderRequired',
    undefined,
    (header) =>
      `The WS-Management service cannot process the request because the packet is missing the required addressing header ${header}.`,
  ),
  'destination-unreachable': sender(
    2150858770,
    'a:DestinationUnreachable',
    undefined,
    () =>
      'The client cannot connect to the destination specified in the request. Verify that the service on the destination is running and is accepting requests.',
  ),
  'header-not-understood': {
    ...sender(
      2150858768,
      '',
      undefined,
      (header) =>
        `The WS-Management service cannot process a SOAP header in the request that is marked as mustUnderstand by the client: ${header}.`,
    ),
    side: 'MustUnderstand',
  },
  'locale-must-understand': sender(
    2150858887,
    'w:UnsupportedFeature',
    undefined,
    () => 'The WS-Management service does not support the mustUnderstand attribute on the Locale header.',
  ),
  'version-mismatch': {
    ...sender(2150858817, '', undefined, () => 'The envelope is not of SOAP 1.2.'),
    side: 'VersionMismatch',
  },
  'xml-invalid': sender(
    2150858819,
    'w:SchemaValidationError',
    undefined,
    () => 'The WS-Management service cannot process the request because the XML is invalid.',
  ),
  'body-invalid': sender(
    2150858791,
    'w:SchemaValidationError',
    undefined,
    (detail) => `The SOAP XML in the message does not match the corresponding XML schema definition: ${detail}.`,
  ),
  'envelope-too-small': sender(
    2150858878,
    'w:EncodingLimit',
    undefined,
    () =>
      'The WS-Management service cannot process the request because the maximum envelope size it specifies is too small. The minimum is 8192.',
  ),
  'idle-timeout-out-of-range': receiver(
    2150858810,
    'w:InvalidParameter',
    'WSMan-Others',
    (detail) =>
      `The WS-Management service cannot process the request. The requested IdleTimeout of ${detail} is outside the allowed range of 60000 - 2147483647.`,
  ),
  'option-missing': receiver(
    2152991687,
    'w:InternalError',
    'WSMan-Others',
    () => 'The WSMan provider did not find the protocolversion option, which is required.',
  ),
  'protocol-version-mismatch': receiver(
    2152992672,
    'w:InternalError',
    'WSMan-Others',
    (version) => `The requested protocol version ${version} is not supported; this server speaks 2.3.`,
  ),
  'stream-invalid': receiver(
    2152991680,
    'w:InternalError',
    'WSMan-Others',
    (stream) => `The stream ${stream} is not supported.`,
  ),
  'data-invalid': receiver(
    2152991674,
    'w:InternalError',
    'WSMan-Others',
    (detail) => `The PowerShell remoting data is invalid: ${detail}`,
  ),
} satisfies Record<string, Row>

export type WsmanFaultReason = keyof typeof ROWS

export function wsmanFault(reason: WsmanFaultReason, detail = ''): WsmanFault {
  const { message, ...row } = ROWS[reason]
  return { ...row, message: message(detail), reason }
}
