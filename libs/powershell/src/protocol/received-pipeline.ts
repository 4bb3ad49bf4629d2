import { PermanentError } from '@gatehouse/messages'
import type { ReceivedCommand } from './command.ts'
import { isPsObject, type PsData } from './ps-data.ts'

const COMMANDS_MAX = 32

/** Reads a decoded CREATE_PIPELINE ([MS-PSRP] 2.2.2.10). Throws PermanentError('psrp-malformed'). */
export function readReceivedCommands(data: PsData): ReceivedCommand[] {
  const powerShell = memberOf(data, 'PowerShell')
  const commands = memberOf(powerShell, 'Cmds')
  if (!Array.isArray(commands) || commands.length === 0 || commands.length > COMMANDS_MAX) throw malformed('its commands')
  return commands.map(readCommand)
}

/** False when the pipeline waits for input from the client. */
export function hasNoInput(data: PsData): boolean {
  return memberOf(data, 'NoInput') !== false
}

function readCommand(data: PsData): ReceivedCommand {
  const name = memberOf(data, 'Cmd')
  const isScript = memberOf(data, 'IsScript')
  const parameters = memberOf(data, 'Args') ?? []
  if (typeof name !== 'string' || typeof isScript !== 'boolean' || !Array.isArray(parameters)) throw malformed('a command')
  return { name, isScript, parameters: parameters.map(readParameter) }
}

function readParameter(data: PsData): ReceivedCommand['parameters'][number] {
  const name = memberOf(data, 'N') ?? null
  if (name !== null && typeof name !== 'string') throw malformed('a parameter')
  return { name: name ?? undefined, value: memberOf(data, 'V') ?? null }
}

function memberOf(data: PsData | undefined, name: string): PsData | undefined {
  if (!isPsObject(data)) throw malformed(name)
  return data.properties[name]
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `CREATE_PIPELINE cannot be read: ${what}`)
}
