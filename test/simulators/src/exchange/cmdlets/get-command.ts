import { printExchangeObject } from '../organization/exchange-object.ts'
import { type Cmdlet, outcome } from './cmdlet.ts'
import { commandNotFound } from './error-records.ts'

const CMDLET_INFO_TYPES = [
  'System.Management.Automation.CmdletInfo',
  'System.Management.Automation.CommandInfo',
  'System.Object',
]

/** Shows what the account's roles let it run, and nothing else. */
export const getCommand: Cmdlet = {
  name: 'Get-Command',
  task: 'Microsoft.PowerShell.Commands.GetCommandCommand',
  parameters: {
    Name: 'any',
    Verb: 'any',
    Noun: 'any',
    Module: 'any',
    CommandType: 'any',
    TotalCount: 'any',
    ArgumentList: 'any',
    Syntax: 'switch',
    ListImported: 'switch',
  },
  run(run) {
    const asked = run.parameters.get('Name') ?? null
    const names = asked === null ? ['*'] : Array.isArray(asked) ? asked.map(String) : [String(asked)]
    const result = outcome()
    for (const name of names) {
      const pattern = new RegExp(
        `^${name
          .replace(/[.+^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
        'i',
      )
      const found = run.permitted.filter((each) => pattern.test(each))
      result.output.push(...found.map(printCmdletInfo))
      if (found.length === 0 && !/[*?]/.test(name)) {
        const record = commandNotFound(name)
        result.errors.push({ ...record, fullyQualifiedErrorId: `CommandNotFoundException,${run.cmdlet.task}` })
      }
    }
    return result
  },
}

function printCmdletInfo(name: string): string {
  const [verb = '', noun = ''] = name.split('-')
  return printExchangeObject({
    typeNames: CMDLET_INFO_TYPES,
    text: name,
    properties: [
      ['Verb', verb],
      ['Noun', noun],
      ['HelpFile', 'Microsoft.Exchange.Management.dll-Help.xml'],
      ['PSSnapIn', null],
      ['ImplementingType', null],
      ['DefaultParameterSet', 'Identity'],
      ['Options', { enumeration: 'System.Management.Automation.ScopedItemOptions', text: 'None', number: 0 }],
      ['Name', name],
      ['CommandType', { enumeration: 'System.Management.Automation.CommandTypes', text: 'Cmdlet', number: 8 }],
      ['Visibility', { enumeration: 'System.Management.Automation.SessionStateEntryVisibility', text: 'Public', number: 0 }],
      ['ModuleName', ''],
      ['RemotingCapability', { enumeration: 'System.Management.Automation.RemotingCapability', text: 'PowerShell', number: 1 }],
    ],
  })
}
