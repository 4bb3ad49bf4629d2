import { connect, createServer, type Socket } from 'node:net'

export type CuttableProxy = AsyncDisposable & {
  /** The broker's URL with the proxy's address in it. */
  readonly url: string
  readonly connections: number
  /** Cuts every connection that goes through it now. */
  cut(): void
  /** While refusing, new connections are cut at once. */
  refuse(isRefusing: boolean): void
}

/** Stands between a client and the broker so that a test can cut the wire. */
export async function startCuttableProxy(brokerUrl: string): Promise<CuttableProxy> {
  const target = new URL(brokerUrl)
  const sockets = new Set<Socket>()
  let refusing = false
  const keep = (socket: Socket, other: () => Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      other().destroy()
    })
  }
  const server = createServer((client) => {
    if (refusing) {
      client.destroy()
      return
    }
    const broker = connect(Number(target.port), target.hostname)
    keep(client, () => broker)
    keep(broker, () => client)
    client.pipe(broker).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(brokerUrl)
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    get connections() {
      return sockets.size / 2
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
