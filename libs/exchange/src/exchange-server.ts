import type { PsObject } from '@gatehouse/powershell'
import { readBoolean, readText } from './ps-row.ts'
import { requireText } from './read-rows.ts'

export type ExchangeServer = {
  fqdn: string
  name: string
  /** Such as `Version 15.2 (Build 1544.4)`. */
  adminDisplayVersion: string
  isClientAccessServer: boolean
}

/**
 * Throws RowRejected. From Exchange 2016 every mailbox server answers clients, whatever IsClientAccessServer says there
 * (Exchange 2016 architecture: the Client Access role became a service of the Mailbox role).
 */
export function parseExchangeServer(row: PsObject): ExchangeServer {
  const adminDisplayVersion = readText(row, 'AdminDisplayVersion')
  const isMailboxServer = readBoolean(row, 'IsMailboxServer') ?? /\bMailbox\b/i.test(readText(row, 'ServerRole'))
  const isClientAccessServer = readBoolean(row, 'IsClientAccessServer') ?? /ClientAccess/i.test(readText(row, 'ServerRole'))
  return {
    fqdn: requireText(row, 'Fqdn').toLowerCase(),
    name: readText(row, 'Name'),
    adminDisplayVersion,
    isClientAccessServer: isClientAccessServer || (isMailboxServer && isFrom2016(adminDisplayVersion)),
  }
}

/** 15.0 is Exchange 2013, 15.1 is 2016, 15.2 is 2019 and SE. */
function isFrom2016(version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) > 15 || (Number(major) === 15 && Number(minor) >= 1)
}
