import { setTimeout as delay } from 'node:timers/promises'
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
    } catch {
      // While it starts it refuses connections, then knows no paths (404), then no users (401): in that order.
      await delay(POLL_MS, undefined, { signal }).catch(() => {})
    }
  }
  return false
}
