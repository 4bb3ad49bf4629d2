/**
 * What PostgreSQL or the way to it does to a statement when it is down, is starting, or has no connection left, and when it has
 * ended a transaction of ours that sat idle on a connection that had gone silent: classes 08 and 57P, 53300 and 25P03 of its errors; and
 * class 28 and 3D000, since a worker that has run knows its password and its database: one is being changed, the other restored
 * (postgresql.org/docs/current/errcodes-appendix.html), and what node:net says of a socket.
 */
const CODES =
  /^(08...|28...|3D000|57P0[1-5]|53300|25P03|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/

/** pg gives these no code (pg 8.23.1 lib/client.js, pg-pool index.js). */
const TEXTS = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/

/** What the advisory locks say, whose connection is one of its own. */
const LOCKS_LOST = 'lock-connection-lost'

/** Whether an error of this library says that the database cannot be reached, rather than that a statement failed. */
export function isDatabaseUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return code === LOCKS_LOST || CODES.test(code) || TEXTS.test(error.message)
}
