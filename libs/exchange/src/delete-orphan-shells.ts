import { deleteOrphanShell, type ShellAddress } from '@gatehouse/powershell'
import type { ExchangeOptions } from './connect-exchange.ts'

const DELETE_MS = 10_000

/**
 * Deletes shells that a dead process has left on the server, where they count against the account until their idle timeout.
 * Tells `onDeleted` of each that is gone. Never throws: whatever is not deleted in ten seconds expires by itself.
 */
export async function deleteOrphanShells(
  options: Pick<ExchangeOptions, 'user' | 'password' | 'ca' | 'idleTimeoutMs' | 'log'>,
  orphans: readonly { id: string; shell: ShellAddress }[],
  onDeleted: (id: string) => Promise<void>,
): Promise<void> {
  const { user, password, ca, idleTimeoutMs, log } = options
  const deleteOne = async ({ id, shell }: { id: string; shell: ShellAddress }) => {
    try {
      const transport = {
        kind: 'wsman',
        url: shell.url,
        user,
        password,
        idleTimeoutMs,
        ...(ca !== undefined && { ca }),
      } as const
      await deleteOrphanShell(transport, shell)
      await onDeleted(id)
      log.info({ shellId: shell.shellId }, 'Deleted a shell that a dead process had left behind')
    } catch (error) {
      log.warn({ err: error, shellId: shell.shellId }, 'A shell that a dead process had left behind could not be deleted')
    }
  }
  const { promise: timeUp, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, DELETE_MS)
  await Promise.race([Promise.all(orphans.map(deleteOne)), timeUp])
  clearTimeout(timer)
}
