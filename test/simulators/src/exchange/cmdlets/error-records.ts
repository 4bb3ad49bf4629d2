import { randomUUID } from 'node:crypto'
import type { ErrorRecord } from '@gatehouse/powershell/protocol'
import type { Cmdlet, CmdletRun } from './cmdlet.ts'

/** An Exchange task's own error. `failure` is the exception's short name. */
export function taskError(run: CmdletRun, failure: string, exceptionType: string, message: string): ErrorRecord {
  const { cmdlet, server } = run
  const prefix = `[Server=${server},RequestId=${randomUUID()},TimeStamp=${timeStamp()}]`
  return {
    message,
    fullyQualifiedErrorId: `${prefix} [FailureCategory=Cmdlet-${failure}] ${hexOf(failure + message)},${cmdlet.task}`,
    category: 'NotSpecified',
    exceptionType,
  }
}

export function notFound(run: CmdletRun, identity: string): ErrorRecord {
  const where = run.organization.domainController
  return taskError(
    run,
    'ManagementObjectNotFoundException',
    'Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException',
    `The operation couldn't be performed because object '${identity}' couldn't be found on '${where}'.`,
  )
}

export function ambiguous(run: CmdletRun, identity: string): ErrorRecord {
  return taskError(
    run,
    'ManagementObjectAmbiguousException',
    'Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException',
    `The operation couldn't be performed because '${identity}' matches multiple entries.`,
  )
}

export function transientDirectoryError(run: CmdletRun): ErrorRecord {
  const where = run.organization.domainController
  return taskError(
    run,
    'ADTransientException',
    'Microsoft.Exchange.Data.Directory.ADTransientException',
    `Active Directory server ${where} is not available. Please retry at a later time.`,
  )
}

/** Active Directory's record is full: about 1,200 values in all attributes of one object that are not links. */
export function administrativeLimitExceeded(run: CmdletRun): ErrorRecord {
  const where = run.organization.domainController
  return taskError(
    run,
    'ADOperationException',
    'Microsoft.Exchange.Data.Directory.ADOperationException',
    `Active Directory operation failed on ${where}. This error is not retriable. Additional information: The administrative limit for this request was exceeded. Active directory response: 00002024: SvcErr: DSID-02050CF4, problem 5008 (ADMIN_LIMIT_EXCEEDED), data -1026.`,
  )
}

export function commandNotFound(name: string): ErrorRecord {
  return {
    message: `The term '${name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.`,
    fullyQualifiedErrorId: 'CommandNotFoundException',
    category: 'ObjectNotFound',
    exceptionType: 'System.Management.Automation.CommandNotFoundException',
    targetText: name,
  }
}

export function scriptsNotAllowed(): ErrorRecord {
  return {
    message: 'The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.',
    fullyQualifiedErrorId: 'ScriptsNotAllowed',
    category: 'ParserError',
    exceptionType: 'System.Management.Automation.ParseException',
  }
}

export function pipelineStopped(): ErrorRecord {
  return {
    message: 'The pipeline has been stopped.',
    fullyQualifiedErrorId: 'PipelineStopped',
    category: 'OperationStopped',
    exceptionType: 'System.Management.Automation.PipelineStoppedException',
  }
}

/** What the engine itself says before a task runs. */
export function bindingError(cmdlet: Cmdlet, id: string, message: string, parameter = ''): ErrorRecord {
  const isTransformation = id === 'ParameterArgumentTransformationError'
  return {
    message,
    fullyQualifiedErrorId: `${id},${cmdlet.name}`,
    category: isTransformation ? 'InvalidData' : 'InvalidArgument',
    exceptionType: `System.Management.Automation.${isTransformation ? 'ParameterBindingArgumentTransformationException' : 'ParameterBindingException'}`,
    targetText: parameter,
  }
}

export function cannotPrompt(cmdlet: Cmdlet): ErrorRecord {
  return {
    message:
      'A command that prompts the user failed because the host program or the command type does not support user interaction. The host was attempting to request confirmation with the following message: Are you sure you want to perform this action?',
    fullyQualifiedErrorId: `HostFunctionNotImplemented,${cmdlet.task}`,
    category: 'NotImplemented',
    exceptionType: 'System.Management.Automation.Host.HostException',
  }
}

export function timeStamp(date = new Date()): string {
  return date.toLocaleString('en-US', { timeZone: 'UTC' }).replace(',', '').replace('\u202f', ' ')
}

function hexOf(text: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash >>> 0).toString(16).toUpperCase()
}
