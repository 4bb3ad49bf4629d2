import { setTimeout as delay } from 'node:timers/promises'
import { PermanentError } from '@gatehouse/messages'
import { callManagement, type ManagementAccess } from './call-management.ts'

const POLL_MS = 100

/**
 * Waits until the management API knows our user; false when the signal is aborted first. The plugin starts after the AMQP
 * listener, so its answer stands for both.
 */
export async function waitForManagement(
  access: ManagementAccess,
  signal: AbortSignal,
  isHopeless = () => false,
): Promise<boolean> {
  while (!signal.aborted && !isHopeless()) {
    try {
      await callManagement(access, { method: 'GET', path: '/api/whoami' }, signal)
      return true
    } catch (error) {
      // The user is created a moment after the listener.
      if (error instanceof PermanentError && error.code !== 'broker-unauthorized') throw error
      await delay(POLL_MS, undefined, { signal }).catch(() => {})
    }
  }
  return false
}
