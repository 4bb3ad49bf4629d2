/** Somebody has a port of the node's. */
export const PORT_TAKEN = /eaddrinuse|already in use|port is in use/i

const CHARACTERS_MAX = 3_000

/** What a RabbitMQ node said that did not start: the end of it, and whether a port was taken, which Erlang says long before the end. */
export function describeFailedStart(said: string): string {
  const end = said.slice(-CHARACTERS_MAX)
  const taken = PORT_TAKEN.exec(said)?.[0]
  return taken === undefined || PORT_TAKEN.test(end) ? end : `${taken} …\n${end}`
}
