import { setTimeout as wait } from 'node:timers/promises'
import {
  type ErrorRecord,
  encodeClixml,
  isPsObject,
  type PsData,
  PsSecureString,
  type ServerValue,
} from '../../../libs/powershell/src/protocol/index.ts'
import { type Cmdlet, outcome } from '../../simulators/src/index.ts'

const PARAMETERS_OF_ALL = { Confirm: 'switch' } as const

/** The cmdlets of the contract, for the simulator; the real engine has them in the module of test/powershell-host. */
export function createSimulatedCmdlets(): Cmdlet[] {
  return [echo, reveal, many, stream, fail, prompt, waiting, stubborn, createMeeting()]
}

function cmdlet(name: string, rest: Omit<Cmdlet, 'name' | 'task' | 'run'> & Partial<Pick<Cmdlet, 'run'>>): Cmdlet {
  return {
    name,
    task: name.replace('-', ''),
    run: () => outcome(),
    ...rest,
    parameters: { ...PARAMETERS_OF_ALL, ...rest.parameters },
  }
}

const echo = cmdlet('Test-Echo', {
  parameters: { Value: 'any' },
  run: ({ parameters }) => outcome({ output: [encodeClixml(asSent(parameters.get('Value') ?? null))] }),
})

const reveal = cmdlet('Test-Reveal', {
  parameters: { Secret: 'any', Credential: 'any' },
  run: ({ parameters }) =>
    outcome({ output: [encodeClixml(revealed(parameters.get('Secret') ?? parameters.get('Credential')))] }),
})

function revealed(data: PsData | undefined): string {
  if (data instanceof PsSecureString) return data.reveal()
  if (!isPsObject(data)) throw new TypeError('Neither a SecureString nor a PSCredential')
  return `${String(data.properties.UserName)}:${revealed(data.properties.Password)}`
}

const many = cmdlet('Test-Many', {
  parameters: { Count: 'any' },
  run: ({ parameters }) =>
    outcome({ output: Array.from({ length: Number(parameters.get('Count')) }, (_, index) => encodeClixml(index)) }),
})

const stream = cmdlet('Test-Stream', {
  parameters: {},
  run: () =>
    outcome({
      output: [encodeClixml('output')],
      warnings: ['warning'],
      errors: [record('error', 'TestFailed,Test-Stream')],
      verbose: ['verbose'],
      debug: ['debug'],
      information: ['information'],
    }),
})

const fail = cmdlet('Test-Fail', {
  parameters: { Message: 'text', Terminating: 'switch' },
  run({ parameters }) {
    const error = record(String(parameters.get('Message')), 'TestFailed,Test-Fail')
    return parameters.get('Terminating') === true
      ? outcome({ failed: error })
      : outcome({ errors: [error], output: [encodeClixml('after')] })
  },
})

const prompt = cmdlet('Test-Prompt', {
  parameters: {},
  run: () =>
    outcome({ failed: record('Cannot invoke this function because the current host does not implement it.', 'TestPrompt') }),
})

const waiting = cmdlet('Test-Wait', {
  parameters: { Milliseconds: 'any' },
  async runUntil({ parameters }, stopped) {
    await wait(Number(parameters.get('Milliseconds')), undefined, { signal: stopped }).catch(() => {})
    return outcome()
  },
})

const stubborn = cmdlet('Test-Stubborn', {
  parameters: { Milliseconds: 'any' },
  ignoresStop: true,
  async runUntil({ parameters }, stopped) {
    await wait(Number(parameters.get('Milliseconds')), undefined, { signal: stopped }).catch(() => {})
    return outcome()
  },
})

function createMeeting(): Cmdlet {
  const rooms = new Map<string, { arrived: number; everybody: PromiseWithResolvers<void> }>()
  return cmdlet('Test-Meet', {
    parameters: { Count: 'any', Name: 'text' },
    async runUntil({ parameters }, stopped) {
      const name = String(parameters.get('Name'))
      const room = rooms.get(name) ?? { arrived: 0, everybody: Promise.withResolvers<void>() }
      rooms.set(name, room)
      if (++room.arrived >= Number(parameters.get('Count'))) room.everybody.resolve()
      stopped.addEventListener('abort', () => room.everybody.resolve(), { once: true })
      await room.everybody.promise
      return outcome({ output: [encodeClixml(!stopped.aborted)] })
    },
  })
}

function record(message: string, fullyQualifiedErrorId: string): ErrorRecord {
  return { message, fullyQualifiedErrorId, category: 'ObjectNotFound', exceptionType: 'System.Exception' }
}

function asSent(data: PsData): ServerValue {
  if (data instanceof Map) return Object.fromEntries([...data].map(([key, value]) => [String(key), asSent(value)]))
  if (Array.isArray(data)) return data.map(asSent)
  return isPsObject(data) ? asSent(data.value ?? data.text ?? null) : (data as ServerValue)
}
