import { PermanentError } from '@gatehouse/messages'
import { detach } from './clixml-string.ts'

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:(Z)|([+-])(\d\d):(\d\d))?$/

/**
 * A System.DateTime with what a Date cannot hold: ticks of 100 ns, the zone it was written with, or that it has none
 * (DateTimeKind.Unspecified). As a Date it is the same moment, cut to milliseconds; without a zone it is read as UTC, for
 * Exchange's unmarked times are UTC.
 */
export class PsDateTime extends Date {
  /** As CLIXML has it, such as `2024-02-03T04:05:06.7891234+02:00`. */
  readonly text: string

  /**
   * `text` is `yyyy-MM-ddTHH:mm:ss[.fffffff][Z|±HH:mm]`; `time` what it means in milliseconds, where that is known already.
   * Throws PermanentError('value-refused') for another text.
   */
  constructor(text: string, time = readTime(text)) {
    if (time === undefined) throw new PermanentError('value-refused', 'Cannot be encoded as CLIXML: a text that is no DateTime')
    super(time)
    this.text = text
  }

  get kind(): 'utc' | 'local' | 'unspecified' {
    if (this.text.endsWith('Z')) return 'utc'
    return /[+-]\d\d:\d\d$/.test(this.text) ? 'local' : 'unspecified'
  }
}

/** A DateTime's text as a Date, or as a PsDateTime where a Date would lose something; undefined when it is none. */
export function readDateTime(text: string): Date | undefined {
  const time = readTime(text)
  if (time === undefined) return undefined
  const isWhole = text.endsWith('Z') && (text.length <= 24 || /^0*Z$/.test(text.slice(23)))
  return isWhole ? new Date(time) : new PsDateTime(detach(text), time)
}

function readTime(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])]
  if (year === 0 || month === 0 || month > 12 || day === 0 || day > daysOf(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const milliseconds = match[7] === undefined ? 0 : Number(match[7].slice(0, 3).padEnd(3, '0'))
  // Date.UTC takes a year below 100 for one of the 20th century.
  const utc =
    year > 99
      ? Date.UTC(year, month - 1, day, hour, minute, second, milliseconds)
      : new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds
  if (match[9] === undefined) return utc
  const [hours, minutes] = [Number(match[10]), Number(match[11])]
  if (hours > 14 || minutes > 59) return undefined
  return utc - (match[9] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
