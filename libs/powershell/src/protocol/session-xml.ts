import type { PoolCall } from './client-pool.ts'
import { ClixmlEncoder } from './clixml-encode.ts'
import { encodeClixmlString } from './clixml-string.ts'
import type { Command } from './command.ts'
import type { SessionKey } from './session-key.ts'

/** What this client says it speaks. A server answers with the same or less; PSVersion's major must be 2 whatever runs here. */
export const CLIENT_VERSIONS = { protocol: '2.3', powerShell: '2.0', serialization: '1.1.0.1' }

export function sessionCapabilityXml(versions: { protocol: string; powerShell: string; serialization: string }): string {
  return (
    `<Obj RefId="0"><MS><Version N="protocolversion">${versions.protocol}</Version>` +
    `<Version N="PSVersion">${versions.powerShell}</Version>` +
    `<Version N="SerializationVersion">${versions.serialization}</Version></MS></Obj>`
  )
}

// No host: nothing here can answer a prompt, and a server told so fails a cmdlet that asks instead of waiting.
const NO_HOST =
  '<MS><B N="_isHostNull">true</B><B N="_isHostUINull">true</B><B N="_isHostRawUINull">true</B><B N="_useRunspaceHost">true</B></MS>'

/** INIT_RUNSPACEPOOL, [MS-PSRP] 2.2.2.2. */
export function initRunspacePoolXml(runspaces: { min: number; max: number }): string {
  return (
    `<Obj RefId="0"><MS><I32 N="MinRunspaces">${runspaces.min}</I32><I32 N="MaxRunspaces">${runspaces.max}</I32>` +
    `<Obj N="PSThreadOptions" RefId="1">${enumXml(0, 'System.Management.Automation.Runspaces.PSThreadOptions', 'Default', 0)}</Obj>` +
    `<Obj N="ApartmentState" RefId="2">${enumXml(1, 'System.Threading.ApartmentState', 'Unknown', 2)}</Obj>` +
    `<Obj N="HostInfo" RefId="3">${NO_HOST}</Obj><Nil N="ApplicationArguments"/></MS></Obj>`
  )
}

/** SET_MAX_RUNSPACES, SET_MIN_RUNSPACES, GET_AVAILABLE_RUNSPACES and RESET_RUNSPACE_STATE: a call id, and perhaps a number. */
export function poolCallXml(call: PoolCall, callId: bigint): string {
  const id = `<I64 N="CI">${callId}</I64>`
  if (!('runspaces' in call)) return `<Obj RefId="0"><MS>${id}</MS></Obj>`
  const name = call.kind === 'set-max' ? 'MaxRunspaces' : 'MinRunspaces'
  return `<Obj RefId="0"><MS><I32 N="${name}">${call.runspaces}</I32>${id}</MS></Obj>`
}

/** PUBLIC_KEY, [MS-PSRP] 2.2.2.3; `publicKey` is base64. */
export function publicKeyXml(publicKey: string): string {
  return `<Obj RefId="0"><MS><S N="PublicKey">${publicKey}</S></MS></Obj>`
}

/** ENCRYPTED_SESSION_KEY, [MS-PSRP] 2.2.2.4; `encrypted` is base64. */
export function encryptedSessionKeyXml(encrypted: string): string {
  return `<Obj RefId="0"><MS><S N="EncryptedSessionKey">${encrypted}</S></MS></Obj>`
}

const LIST_TYPE =
  'System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, ' +
  'Version=1.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]'
const RESULT_TYPES = 'System.Management.Automation.Runspaces.PipelineResultTypes'

// CREATE_PIPELINE, [MS-PSRP] 2.2.2.10, around the one command. Only the name and the arguments differ from call to call.
const BEFORE_NAME =
  '<Obj RefId="0"><MS><B N="NoInput">true</B>' +
  `<Obj N="ApartmentState" RefId="1">${enumXml(0, 'System.Threading.ApartmentState', 'Unknown', 2)}</Obj>` +
  `<Obj N="RemoteStreamOptions" RefId="2">${enumXml(1, 'System.Management.Automation.RemoteStreamOptions', '0', 0)}</Obj>` +
  `<B N="AddToHistory">false</B><Obj N="HostInfo" RefId="3">${NO_HOST}</Obj>` +
  '<Obj N="PowerShell" RefId="4"><MS><B N="IsNested">false</B><Nil N="ExtraCmds"/>' +
  `<Obj N="Cmds" RefId="5"><TN RefId="2"><T>${LIST_TYPE}</T><T>System.Object</T></TN><LST><Obj RefId="6"><MS><S N="Cmd">`
const FIRST_FREE_OBJECT_ID = 15
const FIRST_FREE_TYPE_ID = 4
const AFTER_ARGUMENTS =
  '</LST></Obj></MS></Obj></LST></Obj><Nil N="History"/><B N="RedirectShellErrorOutputPipe">false</B></MS></Obj>' +
  '<B N="IsNested">false</B></MS></Obj>'

/** What follows the name, for a protocol version: later versions know more streams that could be merged. */
function afterName(protocolVersion: string): string {
  const [major = 0, minor = 0] = protocolVersion.split('.').map(Number)
  const at = major * 100 + minor
  const names = ['MergeMyResult', 'MergeToResult', 'MergePreviousResults']
  if (at >= 202) names.push('MergeError', 'MergeWarning', 'MergeVerbose', 'MergeDebug')
  if (at >= 203) names.push('MergeInformation')
  const [first, ...rest] = names
  // UseLocalScope is Nil: any other value is refused in NoLanguage mode.
  let xml = `</S><B N="IsScript">false</B><Nil N="UseLocalScope"/><Obj N="${first}" RefId="7">${enumXml(3, RESULT_TYPES, 'None', 0)}</Obj>`
  for (const [index, name] of rest.entries()) {
    xml += `<Obj N="${name}" RefId="${8 + index}"><TNRef RefId="3"/><ToString>None</ToString><I32>0</I32></Obj>`
  }
  return xml
}

const afterNames = new Map<string, string>()

/** CREATE_PIPELINE for one cmdlet. The command must have passed `checkCommand`. */
export function createPipelineXml(command: Command, protocolVersion: string, key?: SessionKey): string {
  let middle = afterNames.get(protocolVersion)
  if (middle === undefined) {
    middle = afterName(protocolVersion)
    afterNames.set(protocolVersion, middle)
  }
  const encoder = new ClixmlEncoder(FIRST_FREE_OBJECT_ID, FIRST_FREE_TYPE_ID, key)
  let xml = `${BEFORE_NAME}${encodeClixmlString(command.name)}${middle}<Obj N="Args" RefId="${encoder.nextObjectId()}"><TNRef RefId="2"/><LST>`
  for (const [name, value] of Object.entries(command.parameters)) {
    xml += `<Obj RefId="${encoder.nextObjectId()}"><MS><S N="N">${encodeClixmlString(name)}</S>${encoder.encode(value, ' N="V"')}</MS></Obj>`
  }
  return xml + AFTER_ARGUMENTS
}

function enumXml(typeId: number, type: string, text: string, value: number): string {
  return (
    `<TN RefId="${typeId}"><T>${type}</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN>` +
    `<ToString>${text}</ToString><I32>${value}</I32>`
  )
}
