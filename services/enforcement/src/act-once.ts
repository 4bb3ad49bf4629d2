import { PermanentError, RetryableError } from '@gatehouse/messages'
import { beginMessage, endMessage, forgetMessage, isMessageDone, type Store } from '@gatehouse/store'

/**
 * So long after an action may have been sent it is sent again when its answer was lost: a wipe that is still to come is not
 * doubled by a second wish for it. Later the phone may have been wiped, and be in use again.
 */
const REPEAT_MS_MAX = 10 * 60_000

/** Tells whether the action of this message was carried out, by an earlier copy of it. */
export async function wasActedOn(messageId: string, pool: Store['pool']): Promise<boolean> {
  return await isMessageDone(pool, { service: 'enforcement', messageId })
}

/**
 * Takes the effect of a message that must not be taken twice: a copy of the message, from a replay or from a broker that delivered
 * it again, is known again and does nothing. The caller holds the lock of what it is about.
 * @throws PermanentError `device-action-uncertain` when it was begun longer ago and nobody knows what came of it.
 */
export async function actOnce(messageId: string, pool: Store['pool'], act: () => Promise<void>): Promise<'acted' | 'repeated'> {
  const key = { service: 'enforcement', messageId }
  const processing = await beginMessage(pool, key)
  if (processing.state === 'done') return 'repeated'
  if (processing.state === 'begun' && processing.begunMs > REPEAT_MS_MAX)
    throw new PermanentError(
      'device-action-uncertain',
      'The action may have been carried out when it was first tried: look at the device in Exchange, and ask again if it is still wanted',
    )
  try {
    await act()
  } catch (error) {
    if (processing.state === 'new' && isCertainlyNotDone(error)) await forgetMessage(pool, key)
    throw error
  }
  await endMessage(pool, key)
  return 'acted'
}

function isCertainlyNotDone(error: unknown): boolean {
  const isOurs = error instanceof PermanentError || error instanceof RetryableError
  return isOurs && (error.detail['mayHaveRun'] === false || error.detail['sent'] === false)
}
