import { deleteOrphanShell, type ShellAddress } from '@gatehouse/powershell'
import type { ExchangeOptions } from './connect-exchange.ts'
import { type EndpointOptions, wsmanTransportOf } from './wsman-transport-of.ts'

const DELETE_MS = 10_000

/**
 * Deletes shells that a dead process has left on the server, where they count against the account until their idle timeout.
 * Tells `onDeleted` of each that is gone. Never throws: whatever is not deleted in ten seconds expires by itself.
 */
export async function deleteOrphanShells(
  options: EndpointOptions & Pick<ExchangeOptions, 'log'>,
  orphans: readonly { id: string; shell: ShellAddress }[],
  onDeleted: (id: string) => Promise<void>,
): Promise<void> {
  const { log } = options
  const deleteOne = async ({ id, shell }: { id: string; shell: ShellAddress }) => {
    try {
      await deleteOrphanShell(wsmanTransportOf(shell.url, options), shell)
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
