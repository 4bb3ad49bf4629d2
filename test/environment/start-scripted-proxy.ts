import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export type ScriptedProxy = AsyncDisposable & {
  readonly url: string
  /** The targets asked for, with the credentials that came along. */
  readonly tunnels: { target: string; credentials: string | undefined }[]
}

/** An HTTP proxy that opens tunnels, or answers them with a status, or with nothing at all. */
export async function startScriptedProxy(answer: 'tunnel' | 'silence' | number = 'tunnel'): Promise<ScriptedProxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }
  const tunnels: ScriptedProxy['tunnels'] = []
  const server = createServer((_request, response) => response.writeHead(405).end())
  server.on('connection', keep)
  server.on('connect', (request, socket, head) => {
    tunnels.push({ target: request.url ?? '', credentials: request.headers['proxy-authorization'] })
    if (answer === 'silence') return
    if (answer !== 'tunnel') {
      socket.end(`HTTP/1.1 ${answer} No\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const { hostname, port } = new URL(`http://${request.url}`)
    const target = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.write(head)
      socket.pipe(target).pipe(socket)
    })
    keep(target)
    socket.on('close', () => target.destroy())
    target.on('close', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
