import { printable } from './terminal.ts'

const CELL_MAX = 60

/** A plain table of the given columns: one line a row, wide cells cut, texts from phones made harmless. */
export function formatRows(rows: readonly Record<string, unknown>[], columns: readonly string[]): string {
  if (rows.length === 0) return '(none)'
  const cells = [columns.map(String), ...rows.map((row) => columns.map((column) => cellOf(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)))
  return cells
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '-'
  const text = typeof value === 'object' ? textOfObject(value) : String(value)
  const line = printable(text).replace(/\s+/g, ' ')
  return line.length > CELL_MAX ? `${line.slice(0, CELL_MAX - 1)}…` : line
}

function textOfObject(value: object): string {
  return 'message' in value ? String(value.message) : JSON.stringify(value)
}
