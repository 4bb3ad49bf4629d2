import { RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import { withDetail } from '../with-detail.ts'
import { refuseBrokenPool } from './broken-pool.ts'
import type { RemoteShell } from './remote-shell.ts'

/** How long the server may take to answer PUBLIC_KEY. */
const EXCHANGE_MS = 30_000

/**
 * Exchanges the key that encrypts SecureStrings, unless that is done; several shells of one pool share the exchange. Throws
 * RetryableError('psrp-session-key-timeout') after 30 s, PermanentError('psrp-session-key-refused'), and what the shell
 * throws; the shell is then of no more use.
 */
export async function exchangeSessionKey(shell: RemoteShell, clock: Clock): Promise<void> {
  if (shell.client.sessionKey.isReady) return
  await shell.client.exchangeKeyOnce(() => exchange(shell, clock))
}

async function exchange(shell: RemoteShell, clock: Clock): Promise<void> {
  const { client } = shell
  let isLate = false
  const cancel = clock.setTimeout(() => {
    isLate = true
    void shell.reset().catch(() => {})
  }, EXCHANGE_MS)
  try {
    for (const fragment of await client.requestSessionKey(shell.fragmentBytesMax)) await shell.send(undefined, fragment)
    while (!client.sessionKey.isReady && !isLate) {
      const { chunks } = (await shell.receive(undefined)).read()
      for (const chunk of chunks) for (const event of client.receive(undefined, chunk)) refuseBrokenPool(event)
    }
    if (!client.sessionKey.isReady) throw late(undefined)
  } catch (error) {
    // Whatever a request says of itself: no cmdlet was sent with it.
    throw isLate ? late(error) : withDetail(error, { mayHaveRun: false, shellLost: true })
  } finally {
    cancel()
  }
}

function late(cause: unknown): RetryableError {
  return new RetryableError('psrp-session-key-timeout', `The server did not exchange keys within ${EXCHANGE_MS} ms`, {
    cause,
    detail: { mayHaveRun: false, shellLost: true },
  })
}
