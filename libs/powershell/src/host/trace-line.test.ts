import { describe, expect, test } from 'vitest'
import { PsSecureString } from '../protocol/ps-secure-string.ts'
import type { TraceEntry } from '../protocol/trace.ts'
import { encodeRun } from './encode-run.ts'
import { traceLine } from './trace-line.ts'

function traced(line: string): TraceEntry[] {
  const entries: TraceEntry[] = []
  traceLine((entry) => entries.push(entry), 'sent', line)
  return entries
}

describe('the trace of a line', () => {
  test('shows the command and its parameters, and none of its secrets', () => {
    const parameters = { Identity: 'anna', Password: 'geheim1', Credential: new PsSecureString('geheim2') }

    const [entry] = traced(encodeRun(7, { name: 'Set-Mailbox', parameters }))

    expect(entry).toMatchObject({ direction: 'sent', messageType: 'RUN', pipelineId: '7' })
    expect(entry?.xml).toContain('name: "Set-Mailbox"')
    expect(entry?.xml).toContain('anna')
    expect(entry?.xml).not.toContain('geheim')
    expect(entry?.xml).not.toContain(Buffer.from('geheim2').toString('base64'))
  })

  test('leaves out what is no line of the script', () => {
    expect(traced('Hello from a program')).toEqual([])
    expect(traced('{"op":"run",')).toEqual([])
  })
})
