import { PermanentError } from '@gatehouse/messages'
import { CAS_MAILBOX_PROPERTIES, parseCasMailbox } from './cas-mailbox.ts'
import { type CmdletRunner, type CmdletTrace, createCmdletRunner } from './cmdlet-runner.ts'
import type { Preflight } from './cmdlets.ts'
import { parseDeviceAccessRule } from './device-access-rule.ts'
import { parseDeviceClass } from './device-class.ts'
import type { Exchange, SetOptions } from './exchange.ts'
import { parseExchangeServer } from './exchange-server.ts'
import type { FailoverPool } from './failover-pool.ts'
import { requireGuid } from './guid.ts'
import { parseMailboxPolicy } from './mailbox-policy.ts'
import { MOBILE_DEVICE_PROPERTIES, parseMobileDevice } from './mobile-device.ts'
import { parseOrganizationSettings } from './organization-settings.ts'
import { createSetCasMailbox } from './set-cas-mailbox.ts'

const BULK = { ResultSize: 'Unlimited' }
const WITH_PARTNERSHIP = { ...BULK, Filter: 'HasActiveSyncDevicePartnership -eq $true' }

/** The typed cmdlets over a pool that is already connected. */
export function createExchange(o: {
  pool: FailoverPool<Preflight>
  cmdletTimeoutMs: number
  trace?: CmdletTrace | undefined
  now: () => number
}): Exchange {
  const { pool, cmdletTimeoutMs } = o
  const runner = createCmdletRunner(o)
  return {
    ...createReads(runner),
    ...createWrites(runner),
    get url() {
      return pool.url
    },
    get missingCmdlets() {
      return pool.info?.missing ?? []
    },
    invoke: (command, options) => pool.invoke(() => command, { ...options, timeoutMs: cmdletTimeoutMs }),
    prepare: () => pool.prepare(),
    stats: () => pool.stats(),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

type Reads = Pick<Exchange, Extract<keyof Exchange, `read${string}`>>

function createReads(runner: CmdletRunner): Reads {
  return {
    async readMobileDevices(signal) {
      const read = { key: 'getMobileDevice', properties: MOBILE_DEVICE_PROPERTIES, parse: parseMobileDevice } as const
      const { rows, about } = await runner.readAll({ ...read, parameters: BULK }, signal)
      return { ...about, devices: rows }
    },
    async readCasMailboxes(signal) {
      const read = { key: 'getCasMailbox', properties: CAS_MAILBOX_PROPERTIES, parse: parseCasMailbox } as const
      const { rows, about } = await runner.readAll({ ...read, parameters: WITH_PARTNERSHIP }, signal)
      return { ...about, mailboxes: rows }
    },
    async readExchangeServers(signal) {
      const { rows, about } = await runner.readAll({ key: 'getExchangeServer', parse: parseExchangeServer }, signal)
      return { ...about, servers: rows }
    },
    async readOrganizationSettings(signal) {
      const { rows } = await runner.readAll({ key: 'getOrganizationSettings', parse: parseOrganizationSettings }, signal)
      const [settings, ...others] = rows
      if (settings !== undefined && others.length === 0) return settings
      throw new PermanentError(
        'exchange-answer-unexpected',
        `Exchange has ${rows.length} sets of organisation settings, not one`,
      )
    },
    async readDeviceAccessRules(signal) {
      const { rows, about } = await runner.readAll({ key: 'getDeviceAccessRule', parse: parseDeviceAccessRule }, signal)
      return { ...about, rules: rows }
    },
    async readDeviceClasses(signal) {
      const { rows, about } = await runner.readAll({ key: 'getDeviceClass', parse: parseDeviceClass }, signal)
      return { ...about, classes: rows }
    },
    async readMailboxPolicies(signal) {
      const { rows, about } = await runner.readAll({ key: 'getMailboxPolicy', parse: parseMailboxPolicy }, signal)
      return { ...about, policies: rows }
    },
    async readCasMailbox(mailboxGuid, options) {
      const guid = requireGuid(mailboxGuid, 'mailbox')
      // With the whole forest in view Exchange asks a global catalog, which lags behind what we have just written.
      const parameters = { ReadFromDomainController: true }
      return await runner.readOne({ key: 'getCasMailbox', guid, parameters, parse: parseCasMailbox }, options)
    },
    readMobileDevice: (deviceGuid, options) => readMobileDevice(runner, deviceGuid, options),
  }
}

async function readMobileDevice(runner: CmdletRunner, deviceGuid: string, options: SetOptions) {
  const guid = requireGuid(deviceGuid, 'device partnership')
  return await runner.readOne({ key: 'getMobileDevice', guid, parse: parseMobileDevice }, options)
}

type Writes = Omit<
  Exchange,
  keyof Reads | 'url' | 'missingCmdlets' | 'invoke' | 'prepare' | 'stats' | typeof Symbol.asyncDispose
>

function createWrites(runner: CmdletRunner): Writes {
  return {
    async setCasMailbox(mailboxGuid, plan, options) {
      const { parameters } = createSetCasMailbox(mailboxGuid, plan)
      const { durationMs } = await runner.write('setCasMailbox', { ...parameters }, options)
      return { durationMs }
    },
    async setDefaultAccessLevel(level, options) {
      await runner.write('setOrganizationSettings', { DefaultAccessLevel: level }, options)
    },
    async newDeviceAccessRule({ characteristic, queryString, accessLevel }, options) {
      const parameters = { Characteristic: characteristic, QueryString: queryString, AccessLevel: accessLevel }
      await runner.write('newDeviceAccessRule', parameters, options)
    },
    async setDeviceAccessRule(identity, level, options) {
      if (identity.trim() === '') throw new PermanentError('identity-refused', 'Not the identity of a device access rule')
      await runner.write('setDeviceAccessRule', { Identity: identity, AccessLevel: level }, options)
    },
    async clearMobileDevice(deviceGuid, action, options) {
      const { guid } = await readMobileDevice(runner, deviceGuid, options)
      const cancel = action === 'cancel-wipe' ? { Cancel: true } : {}
      await runner.write('clearMobileDevice', { Identity: guid, ...cancel, Confirm: false }, options)
    },
    async removeMobileDevice(deviceGuid, options) {
      const { guid } = await readMobileDevice(runner, deviceGuid, options)
      await runner.write('removeMobileDevice', { Identity: guid, Confirm: false }, options)
    },
  }
}
