import { setTimeout as delay } from 'node:timers/promises'
import { callManagement, type ManagementAccess } from './call-management.ts'

const POLL_MS = 100

/**
 * Waits until the management API knows our user and says that the node listens for AMQP on its port `amqpPort`, which on a busy
 * machine it does later; false when the signal is aborted first.
 */
export async function waitForManagement(
  access: ManagementAccess & { readonly amqpPort: number },
  signal: AbortSignal,
  isHopeless = () => false,
): Promise<boolean> {
  const path = `/api/health/checks/port-listener/${access.amqpPort}`
  while (!signal.aborted && !isHopeless()) {
    try {
      await callManagement(access, { method: 'GET', path }, signal)
      return true
    } catch {
      // While it starts it refuses connections, then knows no paths (404), then no users (401), then no listener (503): in that order.
      await delay(POLL_MS, undefined, { signal }).catch(() => {})
    }
  }
  return false
}
