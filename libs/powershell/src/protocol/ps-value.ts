import type { PsCredential } from './ps-credential.ts'
import type { PsCustomObject } from './ps-custom-object.ts'
import type { PsEnum } from './ps-enum.ts'
import type { PsSecureString } from './ps-secure-string.ts'
import type { PsTyped } from './ps-typed.ts'

/** A GUID that must reach the server as a System.Guid rather than as a string. */
export class PsGuid {
  readonly text: string

  /** `text` is 8-4-4-4-12 hexadecimal digits. Throws TypeError for anything else. */
  constructor(text: string) {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
      throw new TypeError('A GUID is 8-4-4-4-12 hexadecimal digits')
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/**
 * A value on its way to PowerShell. A plain object or a Map becomes a Hashtable (a Map's keys may be any value but null), an
 * array an Object[]; a number becomes Int32 where it fits, Int64 when it is another safe integer, Double otherwise; a bigint
 * Int64, and beyond 64 bits it is refused: PsTyped has UInt64 and Decimal; a Date a UTC DateTime, a PsDateTime one to the
 * tick; a Uint8Array Byte[]. An object or array met twice is sent once, with references to it; a cycle is refused.
 */
export type PsValue =
  | null
  | string
  | boolean
  | number
  | bigint
  | Date
  | Uint8Array
  | PsGuid
  | PsTyped
  | PsEnum
  | PsSecureString
  | PsCredential
  | PsCustomObject
  | ReadonlyMap<PsValue, PsValue>
  | readonly PsValue[]
  | { readonly [key: string]: PsValue }

/** The CLIXML elements that hold plain text and have no TypeScript type of their own. */
export type ScalarTag =
  | 'URI'
  | 'Version'
  | 'TS'
  | 'D'
  | 'XD'
  | 'SBK'
  | 'SS'
  | 'C'
  | 'By'
  | 'SB'
  | 'I16'
  | 'U16'
  | 'I32'
  | 'U32'
  | 'I64'
  | 'U64'
  | 'Sg'
  | 'Db'

/** One value under a chosen CLIXML element, such as a Version or a TimeSpan; `text` is written as it stands, XML-escaped. */
export class ServerScalar {
  readonly tag: ScalarTag
  readonly text: string

  constructor(tag: ScalarTag, text: string) {
    this.tag = tag
    this.text = text
  }
}

/** What only a server sends: property bags with type names, and typed scalars. */
export type ServerValue =
  | PsValue
  | ServerObject
  | ServerScalar
  | ReadonlyMap<ServerValue, ServerValue>
  | readonly ServerValue[]
  | { readonly [key: string]: ServerValue }

/**
 * An object with type names, as a remoting server serialises it. `text` is its ToString; `value` a wrapped value: a scalar
 * (an enum's number) or an array, which is then written as a list under these type names; `properties` its members, written
 * as `Props` (adapted) or, with `members: 'extended'`, as `MS`. Type name arrays are compared by identity: share them
 * between objects of one kind and each message names them once.
 */
export class ServerObject {
  readonly typeNames: readonly string[]
  readonly text: string | undefined
  readonly value: ServerValue | undefined
  readonly properties: Readonly<Record<string, ServerValue>>
  readonly members: 'adapted' | 'extended'

  constructor(o: {
    typeNames: readonly string[]
    text?: string
    value?: ServerValue
    properties?: Readonly<Record<string, ServerValue>>
    members?: 'adapted' | 'extended'
  }) {
    this.typeNames = o.typeNames
    this.text = o.text
    this.value = o.value
    this.properties = o.properties ?? {}
    this.members = o.members ?? 'adapted'
  }
}
