/**
 * The connections of a TLS server whose handshake still goes on. node:http knows a connection only after that, so it does not close one
 * whose client says nothing: a node that stops would wait for it until the handshake has taken too long.
 */
import type { Server, Socket } from 'node:net'

const handshakes = new WeakMap<Server, Map<string, Socket>>()

/** Remembers them from now on: for a server that does not listen yet. */
export function watchHandshakes(server: Server): void {
  const open = new Map<string, Socket>()
  handshakes.set(server, open)
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    open.set(name, socket)
    socket.once('close', () => open.delete(name))
  })
  server.on('secureConnection', (socket: Socket) => open.delete(nameOf(socket)))
}

/** Closes them. */
export function cutHandshakes(server: Server): void {
  for (const socket of handshakes.get(server)?.values() ?? []) socket.destroy()
}

/** A connection has one socket while it is greeted and another one afterwards; the client's port stays. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
