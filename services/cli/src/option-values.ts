import { InvalidArgumentError } from 'commander'

/** What the values of options may be; each throws InvalidArgumentError, which commander shows with the option's name. */

export function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A whole number from 0 is needed.')
  return Number(text)
}

export function positive(text: string): number {
  const value = natural(text)
  if (value === 0) throw new InvalidArgumentError('A whole number from 1 is needed.')
  return value
}

export function oneOf(words: readonly string[]): (text: string) => string {
  return (text) => {
    if (!words.includes(text)) throw new InvalidArgumentError(`One of ${words.join(', ')} is needed.`)
    return text
  }
}

export function listOf(text: string, before: string[]): string[] {
  return [...before, text]
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `15m`, `2h` or `3d`, in milliseconds. */
export function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) throw new InvalidArgumentError('A time like 90s, 15m, 2h or 3d is needed.')
  return Number(count) * (UNITS[unit] ?? 0)
}

export function decimal(text: string): number {
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('A number is needed.')
  return Number(text)
}
