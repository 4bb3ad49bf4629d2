import { setTimeout as wait } from 'node:timers/promises'
import { afterAll } from 'vitest'

const WATCHED = ['ProcessWrap', 'TCPServerWrap', 'TCPSocketWrap']
/** Sockets of `fetch` stay open this long for the next request. */
const GRACE_MS = 6_000
const POLL_MS = 50

/** Runs after the hooks of the test file: a process, server or connection that is still there was forgotten. */
afterAll(async () => {
  const deadline = Date.now() + GRACE_MS
  while (listLeft().length > 0 && Date.now() < deadline) await wait(POLL_MS)
  const left = listLeft()
  if (left.length > 0) throw new Error(`The test file left behind: ${left.join(', ')}`)
}, GRACE_MS * 2)

function listLeft(): string[] {
  return process.getActiveResourcesInfo().filter((resource) => WATCHED.includes(resource))
}
