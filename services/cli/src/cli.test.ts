import { describe, expect, it } from 'vitest'
import { createProgram, scale } from './create-program.ts'
import { formatPsData, toJson } from './format-ps-data.ts'
import { formatRows } from './format-rows.ts'
import { createTerminal } from './terminal.ts'

describe('the terminal', () => {
  it('keeps the result on standard output and everything else on standard error', () => {
    const written = { out: '', err: '' }
    const terminal = createTerminal(
      { out: { write: (text) => (written.out += text) }, err: { write: (text) => (written.err += text), isTTY: true } },
      { quiet: false },
    )

    terminal.progress('half way')
    terminal.note('a note')
    terminal.print('{"ok":true}')

    expect(written.out).toBe('{"ok":true}\n')
    expect(written.err).toContain('a note\n')
  })

  it('does not let the name of a phone move the cursor or turn the text around', () => {
    const table = formatRows([{ device: 'evil\u001b[2J\u202ename\nnext' }], ['device'])

    expect(table).not.toContain('\u001b')
    expect(table).not.toContain('\u202e')
    expect(table.split('\n')).toHaveLength(2)
  })
})

describe('tables', () => {
  it('says so when there is nothing to show', () => {
    expect(formatRows([], ['id'])).toBe('(none)')
  })

  it('shows the message of a problem and cuts a cell that is too wide', () => {
    const table = formatRows([{ problem: { code: 'x', message: 'm'.repeat(100) } }], ['problem'])

    expect(table).toContain('…')
    expect(table).not.toContain('"code"')
  })
})

describe('--scale', () => {
  it('takes one number for all workers, or a number for each that is named', () => {
    expect(scale('2')).toMatchObject({ enforcement: 2, control: 2 })
    expect(scale('enforcement=4,discovery=2')).toEqual({ enforcement: 4, discovery: 2 })
  })

  it('names the workers when it is given another', () => {
    expect(() => scale('enforcer=2')).toThrow(/enforcement/)
  })
})

describe('PowerShell values as JSON', () => {
  it('keeps what a double would lose', () => {
    expect(toJson(9007199254740993n)).toBe('9007199254740993')
  })

  it('shows an id by its text and a property bag by its properties', () => {
    const id = { typeNames: ['Deserialized.ADObjectId'], text: 'contoso.com/Users/Anna', value: undefined, properties: {} }

    expect(toJson({ typeNames: [], text: undefined, value: undefined, properties: { Identity: id, IsValid: true } })).toEqual({
      Identity: 'contoso.com/Users/Anna',
      IsValid: true,
    })
    expect(formatPsData({ typeNames: [], text: undefined, value: undefined, properties: { Identity: id } })).toBe(
      'Identity : contoso.com/Users/Anna',
    )
  })
})

describe('the program', () => {
  it('has --json on every verb that runs something', () => {
    const program = createProgram({
      env: {},
      cwd: '/',
      streams: { out: { write: () => {} }, err: { write: () => {} } },
      signal: new AbortController().signal,
      onExitCode: () => {},
    })
    const leaves = [...program.commands].flatMap((one) => (one.commands.length > 0 ? [...one.commands] : [one]))

    expect(leaves.length).toBeGreaterThan(10)
    for (const leaf of leaves) expect(leaf.options.map((option) => option.long)).toContain('--json')
  })
})
