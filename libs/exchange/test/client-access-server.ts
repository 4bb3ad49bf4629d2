import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A client access server as the network sees it: a door to the one organisation behind it, which can be shut, become slow or
 * fall silent. What has passed through it goes on behind a shut door, as a cmdlet does whose client can no longer be answered.
 */
export class ClientAccessServer implements AsyncDisposable {
  readonly host: string
  /** Added to the way of everything that a client sends. */
  delayMs = 0
  /** Takes connections and data, and never answers. */
  isSilent = false
  readonly #organization: URL
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(host: string, organizationUrl: string) {
    this.host = host
    this.#organization = new URL(organizationUrl)
  }

  /** Connections of clients. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Listens on a port, or on any free one; resolves with it. */
  async open(port: number): Promise<number> {
    const server = createServer((client) => this.#accept(client))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, this.host, resolve)
    })
    this.#server = server
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('The server has no port')
    return address.port
  }

  /** Dies: stops listening and cuts every connection. */
  async die(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    // libuv does not reset a socket that is being shut down (uv_tcp_close_reset: EINVAL), and node would keep its handle.
    for (const socket of this.#sockets) {
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die()
  }

  #accept(client: Socket): void {
    const behind = connect(Number(this.#organization.port), this.#organization.hostname)
    this.#sockets.add(client)
    const end = () => {
      this.#sockets.delete(client)
      client.destroy()
      behind.destroy()
    }
    for (const socket of [client, behind]) {
      socket.setNoDelay(true)
      socket.on('close', end)
      socket.on('error', end)
    }
    client.on('data', (data) => {
      if (this.isSilent) return
      const pass = () => {
        if (!behind.destroyed) behind.write(data)
      }
      // The way is as long for everything, so nothing overtakes.
      if (this.delayMs > 0) setTimeout(pass, this.delayMs)
      else pass()
    })
    behind.on('data', (data) => {
      if (!this.isSilent) client.write(data)
    })
  }
}
