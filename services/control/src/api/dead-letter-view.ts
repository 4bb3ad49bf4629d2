import type { DeadLetter } from '@gatehouse/broker'

/** A dead letter in a list: everything but its content. */
export function deadLetterView({ content, headers: _headers, ...letter }: DeadLetter) {
  return { ...letter, bytes: content.length }
}

/** A dead letter, whole: its content as JSON if it is, else as text. */
export function wholeDeadLetterView(letter: DeadLetter) {
  const { issues } = letter
  return {
    ...deadLetterView(letter),
    issues: issues === undefined ? undefined : parseOrText(issues),
    body: parseOrText(letter.content.toString()),
    headers: letter.headers,
    history: historyOf(letter),
  }
}

/** What is known of its life, oldest first. */
function historyOf(letter: DeadLetter): { at: string | undefined; what: string }[] {
  const { origin, firstFailedAt, deadAt, diedIn, attempts, reason, replays, editedFrom, errorMessage } = letter
  const happened = [
    origin && { at: undefined, what: `published to ${origin.exchange} as ${origin.routingKey}` },
    editedFrom === undefined ? undefined : { at: undefined, what: `made by an edit of ${editedFrom}` },
    replays > 0 && {
      at: undefined,
      what: `replayed ${replays === 1 ? 'once' : `${replays} times`}, last by ${letter.replayId}`,
    },
    firstFailedAt !== undefined && { at: firstFailedAt, what: 'failed for the first time' },
    {
      at: deadAt,
      what: `died in ${diedIn ?? 'an unknown queue'} at attempt ${attempts}: ${reason}${errorMessage === undefined ? '' : `: ${errorMessage}`}`,
    },
  ]
  return happened.filter((one) => one !== undefined && one !== false)
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
