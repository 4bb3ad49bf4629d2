import { PermanentError } from '@gatehouse/messages'

/**
 * A value of a .NET enum under its type's name. Most parameters take the name as a plain string; this is for those that
 * look at the type. Without `value` it is sent by its name alone.
 */
export class PsEnum {
  readonly typeNames: readonly string[]
  readonly name: string
  readonly value: number | undefined

  /** `type` as .NET names it, such as `System.DayOfWeek`; `value` its Int32: PermanentError('value-refused') when it is none. */
  constructor(type: string, name: string, value?: number) {
    if (value !== undefined && !Object.is(value, value | 0))
      throw new PermanentError('value-refused', 'Cannot be encoded as CLIXML: the number of an enum that is no Int32')
    this.typeNames = [type, 'System.Enum', 'System.ValueType', 'System.Object']
    this.name = name
    this.value = value
  }
}
