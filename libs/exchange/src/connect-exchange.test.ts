import {
  type Command,
  emptyResult,
  type InvocationResult,
  type PowerShellEngine,
  type PsData,
  type PsObject,
} from '@gatehouse/powershell'
import { describe, expect, it } from 'vitest'
import { namesToAskFor } from './cmdlets.ts'
import { connectExchange, type ExchangeOptions } from './connect-exchange.ts'

const signal = new AbortController().signal
const GUID = '8a2b7c1d-1e5f-4c0b-8f3d-2a9b4c6d8e10'
const OTHER = '9b2b7c1d-1e5f-4c0b-8f3d-2a9b4c6d8e11'
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const row = (properties: Record<string, PsData>): PsObject => ({ typeNames: [], text: undefined, value: undefined, properties })
const result = (fields: Partial<InvocationResult>): InvocationResult => ({ ...emptyResult(), durationMs: 7, ...fields })
const device = (guid: string) =>
  row({ Guid: guid, DistinguishedName: 'CN=d,CN=ExchangeActiveSyncDevices,CN=Ann,DC=contoso', DeviceId: 'A' })

async function connect(
  answer: (command: Command) => InvocationResult,
  hidden: string[] = [],
  purpose: ExchangeOptions['purpose'] = 'write',
) {
  const sent: Command[] = []
  const engine: PowerShellEngine = {
    open: () =>
      Promise.resolve({
        state: 'opened',
        prepare: () => {},
        stats: () => {
          throw new Error('Not asked for')
        },
        invoke: (command) => {
          sent.push(command)
          if (command.name !== 'Get-Command') return Promise.resolve(answer(command))
          const names = namesToAskFor().filter((name) => !hidden.includes(name))
          return Promise.resolve(result({ output: names.map((name) => row({ Name: name })) }))
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  const exchange = await connectExchange(
    {
      url: 'https://ex1.contoso.com/PowerShell/',
      user: 'CONTOSO\\gatehouse',
      password: 'secret',
      purpose,
      shells: 1,
      idleTimeoutMs: 120_000,
      cmdletTimeoutMs: 1_000,
      isCasFailoverEnabled: true,
      log: silent,
      createEngine: () => engine,
    },
    signal,
  )
  return { exchange, sent }
}

describe('a connection to Exchange', () => {
  it('asks once for everything it needs', async () => {
    const { sent } = await connect(() => result({}))

    expect(sent).toEqual([{ name: 'Get-Command', parameters: { Name: namesToAskFor() } }])
  })

  it('names every cmdlet the account may not run', async () => {
    await expect(connect(() => result({}), ['Set-CASMailbox', 'Get-CASMailbox'])).rejects.toMatchObject({
      code: 'cmdlet-not-permitted',
      message: expect.stringContaining('Get-CASMailbox, Set-CASMailbox') as string,
    })
  })

  it('does without the cmdlets its purpose does not require, until one is asked for', async () => {
    const { exchange } = await connect(() => result({}), ['Clear-MobileDevice', 'Clear-ActiveSyncDevice'])

    expect(exchange.missingCmdlets).toEqual(['Clear-MobileDevice'])
    await expect(exchange.setDefaultAccessLevel('Quarantine', { signal })).resolves.toBeUndefined()
  })

  it('never wipes a device that Exchange does not give back under the id asked for', async () => {
    for (const output of [[], [device(OTHER)], [device(GUID), device(OTHER)], [row({ Guid: GUID })]]) {
      const { exchange, sent } = await connect(() => result({ output }))

      await expect(exchange.clearMobileDevice(GUID, 'wipe', { signal })).rejects.toMatchObject({
        code: 'exchange-identity-mismatch',
      })
      expect(sent.map(({ name }) => name)).toEqual(['Get-Command', 'Get-MobileDevice'])
    }
  })

  it('wipes, takes the wish back and removes without asking for confirmation', async () => {
    const { exchange, sent } = await connect(({ name }) =>
      result({ output: name === 'Get-MobileDevice' ? [device(GUID)] : [] }),
    )

    await exchange.clearMobileDevice(GUID, 'wipe', { signal })
    await exchange.clearMobileDevice(GUID, 'cancel-wipe', { signal })
    await exchange.removeMobileDevice(GUID, { signal })

    expect(sent.filter(({ name }) => name !== 'Get-MobileDevice').slice(1)).toEqual([
      { name: 'Clear-MobileDevice', parameters: { Identity: GUID, Confirm: false } },
      { name: 'Clear-MobileDevice', parameters: { Identity: GUID, Cancel: true, Confirm: false } },
      { name: 'Remove-MobileDevice', parameters: { Identity: GUID, Confirm: false } },
    ])
  })

  it('keeps the good rows of a read that reported errors, and says that it is not complete', async () => {
    const errors = [{ message: 'one object is corrupt', fullyQualifiedErrorId: '', category: '', exceptionType: '' }]
    const { exchange } = await connect(() => result({ output: [device(GUID)], errors }))

    expect(await exchange.readMobileDevices(signal)).toMatchObject({ devices: [{ guid: GUID }], complete: false, rejected: [] })
  })

  it('throws what a write reports', async () => {
    const errors = [
      {
        message: 'The administrative limit for this request was exceeded.',
        fullyQualifiedErrorId: '',
        category: '',
        exceptionType: '',
      },
    ]
    const { exchange } = await connect(() => result({ errors }))

    const plan = { allowAdd: ['A'], allowRemove: [], blockAdd: [], blockRemove: [] }
    await expect(exchange.setCasMailbox(GUID, plan, { signal })).rejects.toMatchObject({
      code: 'administrative-limit-exceeded',
      detail: { scope: 'mailbox', mayHaveRun: false },
    })
  })
})
