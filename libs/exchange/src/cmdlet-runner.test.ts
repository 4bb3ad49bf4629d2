import { type ErrorRecord, emptyResult } from '@gatehouse/powershell'
import { type SpanRecord, Tracer } from '@gatehouse/tracing'
import { expect, it } from 'vitest'
import { createCmdletRunner } from './cmdlet-runner.ts'
import { namesToAskFor, planPreflight } from './cmdlets.ts'
import { FailoverPool } from './failover-pool.ts'

const MAILBOX = '0f1c9a52-7d0e-4a86-9c55-0d4a5b6f7e01'

it('runs each cmdlet in a span that tells its name, its organisation and what became of it, and nothing of whose it is', async () => {
  const spans: SpanRecord[] = []
  const tracer = new Tracer({ record: (span) => spans.push(span) })
  const { signal } = new AbortController()
  const refused: ErrorRecord = { message: `${MAILBOX} is busy`, fullyQualifiedErrorId: '', category: '', exceptionType: '' }
  const answers: ErrorRecord[][] = [[], [refused]]
  const pool = new FailoverPool({
    primaryUrl: 'https://ex1.test/',
    otherUrls: () => Promise.resolve([]),
    open: () =>
      Promise.resolve({
        pool: {
          state: 'opened' as const,
          prepare: () => {},
          stats: () => {
            throw new Error('Not asked for')
          },
          invoke: () => Promise.resolve({ ...emptyResult(), errors: answers.shift() ?? [] }),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
        info: planPreflight(namesToAskFor(), 'write'),
      }),
    deadForMs: 1,
    now: () => 0,
    onChange: () => {},
  })
  await pool.connect(signal)
  const trace = { tracer, organizationId: 'o1' }
  const runner = createCmdletRunner({ pool, cmdletTimeoutMs: 1_000, now: () => 0, trace })

  await runner.write('setCasMailbox', { Identity: MAILBOX }, { signal })
  await runner.write('setCasMailbox', { Identity: MAILBOX }, { signal }).catch(() => {})

  const attributes = { 'gatehouse.organization.id': 'o1' }
  expect(spans).toMatchObject([
    { name: 'Set-CASMailbox', kind: 'client', error: undefined, attributes },
    { name: 'Set-CASMailbox', kind: 'client', error: 'exchange-cmdlet-failed', attributes },
  ])
  expect(JSON.stringify(spans)).not.toContain(MAILBOX)
  await pool[Symbol.asyncDispose]()
})
