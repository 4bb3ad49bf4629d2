import { FAULT_TABLE } from './fault-table.ts'

/** The codes of errors that are not about one mailbox: what may be wrong with the way to Exchange, the account or the server. */
export const SESSION_FAULT_CODES: readonly string[] = [
  ...new Set(FAULT_TABLE.filter((row) => row.scope !== 'mailbox').map((row) => row.code)),
  'cmdlet-timeout',
]
