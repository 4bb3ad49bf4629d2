import { connect, createServer, type Socket } from 'node:net'

/** `toServer`: what the client sends does not arrive; `toClient`: what the server sends does not. */
export type Direction = 'both' | 'toServer' | 'toClient'

/** One client's way to the server. */
export type ProxiedConnection = {
  /** What the client calls itself (RabbitMQ's connection_name, PostgreSQL's application_name), once it has said so. */
  readonly name: string
  /** Cuts it for both sides at once, with RST. */
  reset(): void
  /**
   * Half-open, as behind a firewall that forgot it: from now on nothing passes in that direction, not even the end of the
   * connection, and neither side is told.
   */
  forget(direction: Direction): void
}

export type CuttableProxy = AsyncDisposable & {
  /** The server's URL with the proxy's address in it. */
  readonly url: string
  readonly connections: readonly ProxiedConnection[]
  /** Cuts every connection that goes through it now. */
  cut(): void
  /** While refusing, new connections are cut at once. */
  refuse(isRefusing: boolean): void
}

/** Both say their name in clear text among the first bytes they send. */
const NAME = /gatehouse-[a-z-]+/
const NAME_BYTES = 4_096

/** Stands between a client and a server (broker or database) so that a test can cut the wire or let it go dead. */
export async function startCuttableProxy(serverUrl: string): Promise<CuttableProxy> {
  const target = new URL(serverUrl)
  const open = new Set<Wire>()
  let refusing = false
  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) client.destroy()
    else open.add(new Wire(client, connect({ port: Number(target.port), host: target.hostname, noDelay: true }), open))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(serverUrl)
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`
  const cut = (): void => {
    for (const wire of open) wire.cut()
  }
  return {
    url: url.href,
    get connections() {
      return [...open]
    },
    cut,
    refuse: (isRefusing) => {
      refusing = isRefusing
    },
    [Symbol.asyncDispose]: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

class Wire implements ProxiedConnection {
  name = ''
  readonly #client: Socket
  readonly #server: Socket
  readonly #open: Set<Wire>
  readonly #forgotten = { toServer: false, toClient: false }
  #heard = ''

  constructor(client: Socket, server: Socket, open: Set<Wire>) {
    this.#client = client
    this.#server = server
    this.#open = open
    this.#pass('toServer', client, server)
    this.#pass('toClient', server, client)
    client.on('data', (chunk: Buffer) => this.#listen(chunk))
  }

  cut(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  forget(direction: Direction): void {
    if (direction !== 'toClient') this.#forgotten.toServer = true
    if (direction !== 'toServer') this.#forgotten.toClient = true
    this.#client.resume()
    this.#server.resume()
  }

  #pass(direction: 'toServer' | 'toClient', from: Socket, to: Socket): void {
    from.on('error', () => {})
    from.on('data', (chunk) => {
      // Who sends into a dead wire is never slowed down by it.
      if (this.#forgotten[direction] || to.destroyed || to.write(chunk)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    from.on('close', () => {
      if (!this.#forgotten[direction]) to.destroy()
      if (this.#client.destroyed && this.#server.destroyed) this.#open.delete(this)
    })
    from.on('end', () => {
      if (!this.#forgotten[direction]) to.end()
    })
  }

  #listen(chunk: Buffer): void {
    if (this.name !== '' || this.#heard.length > NAME_BYTES) return
    this.#heard += chunk.toString('latin1')
    this.name = NAME.exec(this.#heard)?.[0] ?? ''
  }
}
